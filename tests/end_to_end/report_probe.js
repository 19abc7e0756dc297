/* Looks at the page as it is shown, and writes what it finds to the end of it. */
addEventListener("load", () => {
  const parse = (colour) => {
    const [red, green, blue, alpha = 1] = colour.match(/[\d.]+/g).map(Number);
    return { parts: [red, green, blue], alpha };
  };
  const luminance = (parts) => parts
    .map((each) => each / 255)
    .map((each) => (each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4))
    .reduce((sum, each, at) => sum + each * [0.2126, 0.7152, 0.0722][at], 0);
  const behind = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const { parts, alpha } = parse(getComputedStyle(each).backgroundColor);
      if (alpha === 1) return parts;
    }
    return [255, 255, 255];
  };
  const contrast = (element) => {
    const style = getComputedStyle(element);
    const own = luminance(parse(element.ownerSVGElement ? style.fill : style.color).parts);
    const other = luminance(behind(element.ownerSVGElement ? element.ownerSVGElement.parentElement : element));
    return (Math.max(own, other) + 0.05) / (Math.min(own, other) + 0.05);
  };
  const isShown = (element) => element.getClientRects().length > 0;
  const move = (target, x, y) => target.dispatchEvent(
    new PointerEvent("pointermove", { bubbles: true, clientX: x, clientY: y }));
  const tip = () => { const found = document.querySelector(".tip"); return found.hidden ? null : found.textContent; };

  document.querySelectorAll("details").forEach((each) => { each.open = true; });
  const texts = [...document.querySelectorAll("body *")].filter((each) =>
    isShown(each) && !each.classList.contains("tip")
    && [...each.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim()));
  const svgs = [...document.querySelectorAll("figure svg")].filter(isShown);
  const marks = svgs.flatMap((svg) => [...svg.querySelectorAll(".m")]);

  const market = svgs[0].getBoundingClientRect();
  const group = svgs[0].querySelector(".cross").dataset;
  const width = svgs[0].viewBox.baseVal.width;
  const readings = [0.1, 0.25, 0.5, 0.9].map((share) => {
    const x = +group.left + share * (group.right - group.left);
    const y = (+group.top + +group.bottom) / 2;
    move(svgs[0], market.left + x * market.width / width, market.top + y * market.width / width);
    return tip();
  });
  move(document.body, 1, 1);
  const afterwards = tip();
  const verdicts = [...document.querySelectorAll("#figure-champions .m")].filter(isShown);
  const last = verdicts[verdicts.length - 1];
  move(last, last.getBoundingClientRect().left, last.getBoundingClientRect().top);
  const pointed = tip();
  verdicts[0].focus();
  verdicts[0].dispatchEvent(new KeyboardEvent("keydown", { bubbles: true, key: "ArrowRight" }));
  const focused = verdicts.indexOf(document.activeElement);

  const found = {
    requests: performance.getEntriesByType("resource").map((each) => each.name),
    overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    paper: getComputedStyle(document.body).backgroundColor,
    texts: texts.length,
    faint: texts.filter((each) => contrast(each) < 4.5).map((each) => each.outerHTML.slice(0, 120)),
    svgs: svgs.length,
    marks: marks.length,
    unnamed: marks.filter((each) => !each.getAttribute("aria-label") || each.getAttribute("role") !== "img").length,
    stops: svgs.filter((svg) => svg.querySelector(".m")).map((svg) => svg.querySelectorAll('[tabindex="0"]').length),
    smallest: Math.min(...texts.filter((each) => each.ownerSVGElement).map((each) => each.getBoundingClientRect().height)),
    readings, afterwards, pointed, focused,
  };
  const note = document.createElement("pre");
  note.id = "probe";
  note.textContent = JSON.stringify(found);
  document.body.append(note);
});
