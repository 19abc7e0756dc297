/*<![CDATA[*/
(() => {
  "use strict";
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  tip.setAttribute("role", "status");
  document.body.append(tip);

  const show = (words, x, y) => {
    tip.textContent = words;
    tip.hidden = false;
    const wide = document.documentElement.clientWidth;
    const left = Math.min(Math.max(x + 12, 6), Math.max(wide - tip.offsetWidth - 6, 6));
    const above = y - tip.offsetHeight - 12;
    tip.style.left = left + scrollX + "px";
    tip.style.top = (above > 4 ? above : y + 16) + scrollY + "px";
  };
  const hide = () => { tip.hidden = true; };

  /* What a mark says: its title, which the browser would show a second time; in a narrow drawing that of its twin.
     Arrows go from mark to mark. */
  const nameOf = (mark) => {
    const title = mark.querySelector("title");
    if (title) title.remove();
    return title && title.textContent;
  };
  const introduce = (svg) => {
    const wide = [...svg.closest("figure").querySelectorAll(".wide .m")];
    const marks = [...svg.querySelectorAll(".m")];
    const names = marks.map((mark, at) => nameOf(mark) || wide[at].getAttribute("aria-label"));
    marks.forEach((mark, at) => {
      mark.setAttribute("role", "img");
      mark.setAttribute("aria-label", names[at]);
      mark.setAttribute("tabindex", at ? "-1" : "0");
    });
    const go = (from, step) => {
      const next = marks[Math.min(Math.max(marks.indexOf(from) + step, 0), marks.length - 1)];
      from.setAttribute("tabindex", "-1");
      next.setAttribute("tabindex", "0");
      next.focus();
    };
    svg.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      const mark = event.target.closest(".m");
      if (event.key === "Escape") hide();
      if (!step || !mark) return;
      event.preventDefault();
      go(mark, step);
    });
    svg.addEventListener("focusin", (event) => {
      const mark = event.target.closest(".m");
      if (!mark) return;
      const box = mark.getBoundingClientRect();
      show(mark.getAttribute("aria-label"), box.left + box.width / 2, box.top);
    });
    svg.addEventListener("focusout", hide);
  };
  document.querySelectorAll("figure svg").forEach(introduce);

  document.addEventListener("pointermove", (event) => {
    const mark = event.target.closest && event.target.closest(".m");
    if (mark) show(mark.getAttribute("aria-label"), event.clientX, event.clientY);
    else if (!event.target.closest || !event.target.closest(".crossed")) hide();
  });
  document.addEventListener("pointerdown", (event) => {
    const mark = event.target.closest && event.target.closest(".m");
    if (mark) show(mark.getAttribute("aria-label"), event.clientX, event.clientY);
    else hide();
  });

  /* The day under the pointer, read back from the lines as they are drawn. */
  const corners = (path) => path.getAttribute("d").split("M").slice(1).flatMap((part) => {
    const steps = part.match(/-?[\d.]+/g).map(Number);
    let [x, y] = [0, 0];
    return Array.from({ length: steps.length / 2 }, (_, at) => [x += steps[2 * at], y += steps[2 * at + 1]]);
  });
  const reader = (path) => {
    const points = corners(path);
    const [kind, ...ends] = path.dataset.scale.split(" ");
    const [first, last, start, stop] = ends.map(Number);
    return (x) => {
      let low = 0;
      let high = points.length - 1;
      while (high - low > 1) {
        const middle = (low + high) >> 1;
        if (points[middle][0] > x) high = middle; else low = middle;
      }
      const [px, py] = Math.abs(points[low][0] - x) > Math.abs(points[high][0] - x) ? points[high] : points[low];
      const value = first + (py - start) / (stop - start) * (last - first);
      return { x: px, y: py, value: kind === "log" ? Math.exp(value) : value };
    };
  };
  const spellsOf = (group) => [...group.querySelectorAll("[data-regime]")].flatMap((path) =>
    path.getAttribute("d").split("z").filter(Boolean).map((box) => {
      const [left, width] = box.slice(1).match(/^([\d.]+) [\d.]+h([\d.]+)/).slice(1).map(Number);
      return { left, right: left + width, name: path.dataset.regime };
    }));
  const dayOf = (number) => new Date((number - 719163) * 864e5).toISOString().slice(0, 10);

  document.querySelectorAll(".cross").forEach((group) => {
    const svg = group.ownerSVGElement;
    svg.classList.add("crossed");
    const facts = Object.fromEntries(["first", "days", "left", "right", "top", "bottom"].map((name) => [name, +group.dataset[name]]));
    const readers = [...group.querySelectorAll("[data-read]")].map((path) => [path.dataset.read, reader(path)]);
    const spells = spellsOf(group);
    const hair = document.createElementNS("http://www.w3.org/2000/svg", "path");
    hair.setAttribute("class", "hair");
    group.append(hair);
    const point = (event) => {
      const box = svg.getBoundingClientRect();
      const x = (event.clientX - box.left) / box.width * svg.viewBox.baseVal.width;
      const y = (event.clientY - box.top) / box.height * svg.viewBox.baseVal.height;
      if (x < facts.left || x > facts.right || y < facts.top || y > facts.bottom) { leave(); return; }
      const [, close] = readers[0];
      const at = close(x);
      const day = Math.round(facts.first + (at.x - facts.left) / (facts.right - facts.left) * facts.days);
      const values = readers.map(([name, read]) => {
        const found = read(at.x);
        return Math.abs(found.x - at.x) > 4 ? name + " unknown" : name + " " + found.value.toLocaleString("en", { maximumFractionDigits: found.value > 999 ? 0 : 1 });
      });
      const spell = spells.find((each) => at.x >= each.left - 0.01 && at.x < each.right - 0.01);
      hair.setAttribute("d", "M" + at.x + " " + facts.top + "V" + facts.bottom);
      show([dayOf(day), ...values, spell ? spell.name : "no regime"].join(" · "), event.clientX, event.clientY);
    };
    const leave = () => { hair.removeAttribute("d"); hide(); };
    svg.addEventListener("pointermove", point);
    svg.addEventListener("pointerdown", (event) => setTimeout(() => point(event)));
    svg.addEventListener("pointerleave", leave);
  });

  /* On paper everything is unfolded. */
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((each) => { each.open = true; }));
})();
/*]]>*/
