/* Runs programs of regime.features.program over the bars of many symbols.
 *
 * A value of a program is an array of rows; with several lanes, the rows of that many symbols side by side,
 * so that a lag of k rows is k * lanes elements and every step is one loop over contiguous elements. The last
 * row of a series is the last row of its arrays; a symbol with fewer rows than its neighbours has NaN before.
 *
 * Nothing is compiled at run time, nothing depends on the machine: no fused multiply-add (-ffp-contract=off),
 * a logarithm of our own. The instruction set is chosen when the module is loaded.
 */
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
#define MANY_MACHINES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define MANY_MACHINES
#endif
#define INLINE static inline __attribute__((always_inline))

enum {
    STORE, ADD, SUBTRACT, MULTIPLY, DIVIDE, LARGER, SMALLER, SHIFT, SCALE, AT_LEAST, AT_MOST, ABSOLUTE,
    SQUARE_ROOT, LOG, GREATER, WHERE, RATIO, RATIO_ABOVE, DIRECTION, ADD_SCALED, WITHOUT_ROUNDING,
    MERGE_SQUARES, MERGE_PRODUCTS, MERGE_IN_TIME, SUM_OF_CUBES, SUM_OF_FOURTHS, DISTANCES, RANK_OF_LAST,
    AGE_OF_HIGHEST, LAST_SWING, STREAK
};
enum { OPERANDS_MAX = 6, CONSTANTS_MAX = 3 };

typedef struct {
    int32_t operation, target, warm_up, reach, window, first_run, end_run, operands;
    struct { int32_t slot, lag; } operand[OPERANDS_MAX];
} Step;

/* What a step works on: operands moved by their lags, elements [from, to) of the target. */
typedef struct {
    const double *operand[OPERANDS_MAX];
    double *restrict target;
    const double *constant;
    int64_t from, to, lanes, window;
} Work;

INLINE int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
INLINE double bits_to_double(uint64_t bits) { double value; memcpy(&value, &bits, 8); return value; }
INLINE uint64_t double_to_bits(double value) { uint64_t bits; memcpy(&bits, &value, 8); return bits; }

/* Natural logarithm, under one unit in the last place; the reduction and polynomial of FreeBSD's e_log.c
 * (Sun Microsystems 1993), without branches so that it works on many elements at once. */
INLINE double logarithm(double x) {
    const double ln2_high = 6.93147180369123816490e-01, ln2_low = 1.90821492927058770002e-10;
    const double g1 = 6.666666666666735130e-01, g2 = 3.999999999940941908e-01, g3 = 2.857142874366239149e-01,
                 g4 = 2.222219843214978396e-01, g5 = 1.818357216161805012e-01, g6 = 1.531383769920937332e-01,
                 g7 = 1.479819860511658591e-01;
    const int tiny = x < 2.2250738585072014e-308;
    const double scaled = tiny ? x * 18014398509481984.0 : x; /* 2^54 */
    const uint64_t moved = double_to_bits(scaled) + (0x3ff0000000000000u - 0x3fe6a09e667f3bcdu);
    const double exponent = bits_to_double((moved >> 52) | 0x4330000000000000u) - 4503599627370496.0;
    const double k = exponent - (tiny ? 1077.0 : 1023.0);
    const double f = bits_to_double((moved & 0x000fffffffffffffu) + 0x3fe6a09e667f3bcdu) - 1.0;
    const double s = f / (2.0 + f), z = s * s, w = z * z, half = 0.5 * f * f;
    const double r = z * (g1 + w * (g3 + w * (g5 + w * g7))) + w * (g2 + w * (g4 + w * g6));
    double result = k * ln2_high - ((half - (s * (half + r) + k * ln2_low)) - f);
    result = x == 0.0 ? -INFINITY : result;
    result = x > 1.7976931348623157e308 ? INFINITY : result;
    return x >= 0.0 ? result : NAN;
}

INLINE double larger_of(double a, double b) { double m = a > b ? a : b; return a != a ? a : m; }
INLINE double smaller_of(double a, double b) { double m = a < b ? a : b; return a != a ? a : m; }
INLINE double ratio_of(double numerator, double denominator, double tie, double neutral) {
    const int vanishes = denominator <= tie;
    const double quotient = numerator / (vanishes ? 1.0 : denominator);
    return vanishes && numerator == numerator ? neutral : quotient;
}
INLINE double direction_of(double value, double tie) {
    double sign = value > tie ? 1.0 : 0.0;
    sign = value < -tie ? -1.0 : sign;
    return value != value ? value : sign;
}
INLINE double mended(double value) {
    const double size = value < 0 ? -value : value;
    double kept = size < 1e-10 ? 0.0 : value;
    return size <= 1.7976931348623157e308 ? kept : NAN;
}

INLINE float narrowed(double value) {
    const double kept = mended(value);
    return fabs(kept) <= 3.4028234663852886e38 ? (float)kept : NAN;
}

#define EACH(formula) \
    for (int64_t i = work->from; i < work->to; i++) target[i] = (formula); \
    break

MANY_MACHINES static void compute(int operation, const Work *work) {
    double *restrict target = work->target;
    const double *a = work->operand[0], *b = work->operand[1], *c = work->operand[2], *d = work->operand[3],
                 *e = work->operand[4], *f = work->operand[5];
    const double p = work->constant[0], q = work->constant[1], r = work->constant[2];
    switch (operation) {
    case ADD: EACH(a[i] + b[i]);
    case SUBTRACT: EACH(a[i] - b[i]);
    case MULTIPLY: EACH(a[i] * b[i]);
    case DIVIDE: EACH(a[i] / b[i]);
    case LARGER: EACH(larger_of(a[i], b[i]));
    case SMALLER: EACH(smaller_of(a[i], b[i]));
    case SHIFT: EACH(a[i] + p);
    case SCALE: EACH(a[i] * p);
    case AT_LEAST: EACH(larger_of(a[i], p));
    case AT_MOST: EACH(smaller_of(a[i], p));
    case ABSOLUTE: EACH(fabs(a[i]));
    case SQUARE_ROOT: EACH(sqrt(a[i]));
    case LOG: EACH(logarithm(a[i]));
    case GREATER: EACH(a[i] > b[i] ? 1.0 : 0.0);
    case WHERE: EACH(a[i] != 0.0 ? b[i] : c[i]);
    case RATIO: EACH(ratio_of(a[i], b[i], q * c[i], p));
    case RATIO_ABOVE: EACH(ratio_of(a[i], b[i], q, p));
    case DIRECTION: EACH(direction_of(a[i], p));
    case ADD_SCALED: EACH(a[i] + p * b[i]);
    case WITHOUT_ROUNDING: EACH(a[i] <= q * (a[i] + b[i] * b[i] * p) ? 0.0 : a[i]);
    case MERGE_SQUARES: EACH(a[i] + b[i] + r * (c[i] * p - d[i] * q) * (c[i] * p - d[i] * q));
    case MERGE_PRODUCTS: EACH(a[i] + b[i] + r * (c[i] * p - d[i] * q) * (e[i] * p - f[i] * q));
    case MERGE_IN_TIME: EACH(a[i] + b[i] + (p * c[i] - q * d[i]));
    }
}

enum { LINE = 8 };      /* elements that a cache reads and writes at once, if aligned */
enum { TOGETHER = 16 }; /* elements that a loop keeps in registers */

/* Ranks count the values of the window below, those equal one half; `known` tells where one is not known. */
MANY_MACHINES static void rank_of_last(const Work *work) {
    const double *values = work->operand[0], *known = work->operand[1], tie = work->constant[1];
    for (int64_t from = work->from; from < work->to; from += TOGETHER) {
        const int64_t count = least(TOGETHER, work->to - from), moved = count < TOGETHER ? work->to - TOGETHER : from;
        double below[TOGETHER], above[TOGETHER];
        int64_t twice[TOGETHER] = {0};
        if (moved < work->from) { /* fewer elements than are worked on together */
            for (int64_t i = from; i < work->to; i++) {
                int64_t counted = 0;
                for (int64_t age = 0; age < work->window; age++) {
                    const double beyond = values[i - age * work->lanes];
                    counted += (beyond < values[i] - tie) + (beyond <= values[i] + tie);
                }
                work->target[i] = known[i] != known[i] ? NAN : (double)counted / 2 / (double)work->window;
            }
            return;
        }
        for (int64_t i = 0; i < TOGETHER; i++) {
            below[i] = values[moved + i] - tie;
            above[i] = values[moved + i] + tie;
        }
        for (int64_t age = 0; age < work->window; age++) {
            const double *past = values + moved - age * work->lanes;
            for (int64_t i = 0; i < TOGETHER; i++) twice[i] += (past[i] < below[i]) + (past[i] <= above[i]);
        }
        for (int64_t i = 0; i < TOGETHER; i++)
            work->target[moved + i] = known[moved + i] != known[moved + i]
                                          ? NAN : (double)twice[i] / 2 / (double)work->window;
    }
}

/* Sums over the window of how far its values are from the mean, in the power that the operation says. */
#define EACH_AGE(formula) \
    for (int64_t age = 0; age < work->window; age++) { \
        const double *past = values + from - age * work->lanes; \
        for (int64_t i = 0; i < count; i++) { \
            const double away = past[i] - mean[i]; \
            sum[i] += (formula); \
        } \
    } \
    break

INLINE void sum_over_window(int operation, const Work *work, int64_t from, int64_t count) {
    const double *values = work->operand[0], *means = work->operand[1] + from;
    double sum[TOGETHER] = {0}, mean[TOGETHER];
    for (int64_t i = 0; i < count; i++) mean[i] = means[i];
    switch (operation) {
    case SUM_OF_CUBES: EACH_AGE(away * away * away);
    case SUM_OF_FOURTHS: EACH_AGE((away * away) * (away * away));
    case DISTANCES: EACH_AGE(fabs(away));
    }
    for (int64_t i = 0; i < count; i++) work->target[from + i] = sum[i];
}

MANY_MACHINES static void compute_windowed(int operation, const Work *work) {
    int64_t from = work->from;
    for (; from + TOGETHER <= work->to; from += TOGETHER) sum_over_window(operation, work, from, TOGETHER);
    if (from < work->to) sum_over_window(operation, work, from, work->to - from);
}

/* The latest row of the window that is as high as its top; it changes only with the top or its leaving. */
static void age_of_highest(const Work *work) {
    const int64_t lanes = work->lanes, window = work->window;
    const double *values = work->operand[0], *tops = work->operand[1], tie = work->constant[1];
    for (int64_t lane = 0; lane < lanes; lane++) {
        int64_t age = window;
        double top = NAN, least = NAN;
        for (int64_t i = work->from + lane; i < work->to; i += lanes) {
            age = values[i] >= least ? 0 : age + 1;
            if (tops[i] != top || age >= window) {
                top = tops[i];
                least = top - tie * fabs(top);
                age = 0;
                while (age < window - 1 && !(values[i - age * lanes] >= least)) age++;
            }
            work->target[i] = top == top ? (double)age : NAN;
        }
    }
}

/* operands: the middle of the bars that may be a summit, the highest of them, the highest of the window. */
static void last_swing(const Work *work) {
    const int64_t lanes = work->lanes, window = work->window;
    const double *middle = work->operand[0], *summit = work->operand[1], *highest = work->operand[2];
    for (int64_t lane = 0; lane < lanes; lane++) {
        int64_t age = -1;
        for (int64_t i = work->from + lane; i < work->to; i += lanes) {
            if (age < 0) {
                age = 0;
                while (age < window && middle[i - age * lanes] != summit[i - age * lanes]) age++;
            } else {
                age = middle[i] == summit[i] ? 0 : (age < window ? age + 1 : window);
            }
            work->target[i] = highest[i] != highest[i] || age >= window ? highest[i] : middle[i - age * lanes];
        }
    }
}

enum { STRIP = 64 }; /* elements of which the window is walked at a time */

MANY_MACHINES static void streak(const Work *work) {
    const double *directions = work->operand[0];
    for (int64_t from = work->from; from < work->to; from += STRIP) {
        const int64_t count = least(STRIP, work->to - from);
        const double *today = directions + from;
        double run[STRIP], unbroken[STRIP], known[STRIP];
        for (int64_t i = 0; i < count; i++) { run[i] = known[i] = 0.0; unbroken[i] = 1.0; }
        for (int64_t age = 0; age < work->window; age++) {
            const double *then = directions + from - age * work->lanes;
            for (int64_t i = 0; i < count; i++) {
                unbroken[i] = then[i] == today[i] ? unbroken[i] : 0.0;
                run[i] += unbroken[i];
                known[i] += then[i];
            }
        }
        for (int64_t i = 0; i < count; i++)
            work->target[from + i] = known[i] == known[i] ? today[i] * run[i] : NAN;
    }
}

/* A field of all symbols' bars, or what is known beside them: values[at[row]], unknown where at[row] < 0. */
typedef struct { const double *values; const int32_t *at; } Input;

/* One run: the program, the bars of all symbols, where the outputs go, and what is still to do. */
typedef struct {
    const Step *steps;
    const double *constants;
    const int32_t *runs;
    int64_t n_steps, slots, look_back, n_inputs, n_symbols, tile, lanes;
    Input *inputs;
    const int64_t *reaches; /* rows before the first asked one that are needed of each input */
    const int64_t *starts, *lengths, *wanted, *places;
    void *out;
    double *compared;
    int64_t out_stride;
    int single;
    int64_t *task_symbol, *task_first, *task_count, n_tasks;
    int64_t next;
    int out_of_memory;
} Run;

/* Rows of one task: of each lane the series up to (not including) row `end`, of which `asked` are stored. */
typedef struct {
    int64_t symbol[64], end[64], asked[64], place[64];
    int64_t lanes, rows, asked_most;
} Block;

/* Load the last `needed` rows of an input side by side; what is before a series began is not known. */
static void load_input(const Run *run, const Block *block, int64_t which, int64_t needed, double *slot) {
    const Input *input = &run->inputs[which];
    for (int64_t lane = 0; lane < block->lanes; lane++) {
        const int64_t end = block->end[lane], there = least(needed, end);
        double *to = slot + (block->rows - needed) * block->lanes + lane;
        const int64_t from = run->starts[block->symbol[lane]] + end - there;
        for (int64_t row = there; row < needed; row++, to += block->lanes) *to = NAN;
        if (input->at == NULL) {
            const double *values = input->values + from;
            for (int64_t row = 0; row < there; row++, to += block->lanes) *to = values[row];
        } else {
            const int32_t *at = input->at + from;
            for (int64_t row = 0; row < there; row++, to += block->lanes)
                *to = at[row] >= 0 ? input->values[at[row]] : NAN;
        }
    }
}

MANY_MACHINES static void mend(const double *restrict from, double *restrict to, int64_t count) {
    for (int64_t i = 0; i < count; i++) to[i] = mended(from[i]);
}

MANY_MACHINES static void mend_to_single(const double *restrict from, float *restrict to, int64_t count) {
    for (int64_t i = 0; i < count; i++) to[i] = narrowed(from[i]);
}

/* Copy to memory that is not read soon: past the caches, without reading first what is overwritten. */
static void copy_through(void *to, const void *from, size_t bytes) {
#ifdef __SSE2__
    const size_t before = (16 - (uintptr_t)to % 16) % 16;
    if (bytes >= 256) {
        memcpy(to, from, before);
        size_t at = before;
        for (; at + 16 <= bytes; at += 16)
            _mm_stream_si128((__m128i *)((char *)to + at), _mm_loadu_si128((const __m128i *)((const char *)from + at)));
        memcpy((char *)to + at, (const char *)from + at, bytes - at);
        return;
    }
#endif
    memcpy(to, from, bytes);
}

enum { STORED_TOGETHER = 256 };

/* Columns from 0 on are results; column -1 - k is the k-th of those that symbols are compared by. */
static void store_rows(const Run *run, int64_t column, int64_t place, const double *values, int64_t count) {
    union { double doubles[STORED_TOGETHER]; float singles[STORED_TOGETHER]; } mended_rows;
    if (column < 0) {
        memcpy(run->compared + (-1 - column) * run->out_stride + place, values, 8 * (size_t)count);
        return;
    }
    const size_t size = run->single ? 4 : 8;
    char *to = (char *)run->out + size * (size_t)(column * run->out_stride + place);
    for (int64_t row = 0; row < count; row += STORED_TOGETHER) {
        const int64_t some = least(STORED_TOGETHER, count - row);
        if (run->single) mend_to_single(values + row, mended_rows.singles, some);
        else mend(values + row, mended_rows.doubles, some);
        copy_through(to + size * (size_t)row, &mended_rows, size * (size_t)some);
    }
}

static void store_output(const Run *run, const Block *block, int64_t column, const double *values) {
    double row_values[STORED_TOGETHER];
    if (block->asked_most == 1 && column >= 0) { /* one row of each */
        for (int64_t lane = 0; lane < block->lanes; lane++) {
            const int64_t to = column * run->out_stride + block->place[lane];
            const double value = values[(block->rows - 1) * block->lanes + lane];
            if (block->asked[lane] == 0) continue;
            if (run->single) ((float *)run->out)[to] = narrowed(value);
            else ((double *)run->out)[to] = mended(value);
        }
        return;
    }
    for (int64_t lane = 0; lane < block->lanes; lane++) {
        const int64_t asked = block->asked[lane], first = block->rows - asked;
        if (block->lanes == 1) {
            store_rows(run, column, block->place[0], values + first, asked);
            continue;
        }
        for (int64_t row = 0; row < asked; row += STORED_TOGETHER) {
            const int64_t count = least(STORED_TOGETHER, asked - row);
            for (int64_t i = 0; i < count; i++) row_values[i] = values[(first + row + i) * block->lanes + lane];
            store_rows(run, column, block->place[lane] + row, row_values, count);
        }
    }
}

static void execute(int operation, const Work *work) {
    if (operation < SUM_OF_CUBES) compute(operation, work);
    else if (operation <= DISTANCES) compute_windowed(operation, work);
    else if (operation == RANK_OF_LAST) rank_of_last(work);
    else if (operation == AGE_OF_HIGHEST) age_of_highest(work);
    else if (operation == LAST_SWING) last_swing(work);
    else streak(work);
}

static void run_block(const Run *run, const Block *block, double *memory, int64_t slot_size, double **slots) {
    const int64_t lanes = block->lanes;
    for (int64_t which = 0; which < run->n_inputs; which++) {
        const Input *input = &run->inputs[which];
        const int64_t first = block->end[0] - block->rows;
        if (lanes == 1 && input->at == NULL && first >= 0) {
            slots[which] = (double *)input->values + run->starts[block->symbol[0]] + first;
        } else {
            slots[which] = memory + which * slot_size;
            load_input(run, block, which, least(block->rows, block->asked_most + run->reaches[which]), slots[which]);
        }
    }
    for (int64_t which = run->n_inputs; which < run->slots; which++) slots[which] = memory + which * slot_size;
    for (int64_t at = 0; at < run->n_steps; at++) {
        const Step *step = &run->steps[at];
        Work work = {.constant = run->constants + at * CONSTANTS_MAX, .lanes = lanes, .window = step->window};
        for (int o = 0; o < step->operands; o++)
            work.operand[o] = slots[step->operand[o].slot] - step->operand[o].lag * lanes;
        if (step->operation == STORE) {
            store_output(run, block, step->target, work.operand[0]);
            continue;
        }
        work.target = slots[step->target];
        if (block->asked_most == 1 && block->rows == run->look_back) {
            /* only the rows that one row is made of; they are after any warm-up */
            for (int32_t which = step->first_run; which < step->end_run; which++) {
                work.from = (block->rows - 1 - run->runs[2 * which + 1]) * lanes;
                work.to = (block->rows - run->runs[2 * which]) * lanes;
                execute(step->operation, &work);
            }
            continue;
        }
        int64_t lowest = block->rows - block->asked_most - step->reach;
        if (lowest < 0) lowest = 0;
        if (step->operation < SUM_OF_CUBES) lowest -= lowest % LINE; /* a few rows more, but whole lines */
        const int64_t known = lowest > step->warm_up ? lowest : step->warm_up;
        for (int64_t i = lowest * lanes; i < known * lanes && i < block->rows * lanes; i++) work.target[i] = NAN;
        work.from = known * lanes;
        work.to = block->rows * lanes;
        if (work.from < work.to) execute(step->operation, &work);
    }
}

/* Elements of a slot that the largest of the tasks needs: slots that lie close together stay in the caches. */
static int64_t elements_most(const Run *run) {
    int64_t most = 0;
    for (int64_t task = 0; task < run->n_tasks; task++) {
        const int64_t lanes = run->task_count[task] < 0 ? 1 : run->task_count[task];
        int64_t asked = 0;
        for (int64_t lane = 0; lane < lanes; lane++)
            if (run->wanted[run->task_symbol[task] + lane] > asked) asked = run->wanted[run->task_symbol[task] + lane];
        const int64_t elements = (least(asked, run->tile) + run->look_back) * lanes;
        if (elements > most) most = elements;
    }
    return most;
}

static void *work_off(void *argument) {
    Run *run = argument;
    const int64_t slot_size = (elements_most(run) + LINE - 1) / LINE * LINE;
    double *memory = aligned_alloc(LINE * sizeof(double), sizeof(double) * (size_t)(slot_size * run->slots));
    double **slots = malloc(sizeof(double *) * (size_t)run->slots);
    if (memory == NULL || slots == NULL) {
        run->out_of_memory = 1;
        free(memory);
        free(slots);
        return NULL;
    }
    for (;;) {
        const int64_t task = __atomic_fetch_add(&run->next, 1, __ATOMIC_RELAXED);
        if (task >= run->n_tasks) break;
        const int64_t symbol = run->task_symbol[task], first = run->task_first[task];
        Block block = {.lanes = run->task_count[task]};
        if (block.lanes < 0) { /* a tile of one long series */
            const int64_t asked = least(-block.lanes, run->wanted[symbol] - first);
            block.lanes = 1;
            block.symbol[0] = symbol;
            block.end[0] = run->lengths[symbol] - run->wanted[symbol] + first + asked;
            block.asked[0] = block.asked_most = asked;
            block.place[0] = run->places[symbol] + first;
            block.rows = least(block.end[0], asked + run->look_back - 1);
        } else { /* the last rows of several series, side by side */
            for (int64_t lane = 0; lane < block.lanes; lane++) {
                block.symbol[lane] = symbol + lane;
                block.end[lane] = run->lengths[symbol + lane];
                block.asked[lane] = run->wanted[symbol + lane];
                block.place[lane] = run->places[symbol + lane];
                if (block.asked[lane] > block.asked_most) block.asked_most = block.asked[lane];
            }
            block.rows = block.asked_most + run->look_back - 1;
        }
        if (block.asked_most > 0) run_block(run, &block, memory, slot_size, slots);
    }
    free(memory);
    free(slots);
    return NULL;
}

/* Series of which more rows than a quarter of the look-back are asked are worked off in tiles, the others side
 * by side. */
static int64_t plan(Run *run, int64_t *symbols, int64_t *firsts, int64_t *counts) {
    int64_t tasks = 0;
    for (int64_t symbol = 0; symbol < run->n_symbols;) {
        if (run->wanted[symbol] * 4 > run->look_back) {
            for (int64_t first = 0; first < run->wanted[symbol]; first += run->tile, tasks++) {
                if (symbols == NULL) continue;
                symbols[tasks] = symbol; firsts[tasks] = first; counts[tasks] = -run->tile;
            }
            symbol++;
        } else {
            int64_t count = 1;
            while (count < run->lanes && symbol + count < run->n_symbols
                   && run->wanted[symbol + count] * 4 <= run->look_back) count++;
            if (symbols != NULL) { symbols[tasks] = symbol; firsts[tasks] = 0; counts[tasks] = count; }
            tasks++;
            symbol += count;
        }
    }
    return tasks;
}

enum { THREADS_MAX = 64 };

/* Have `threads` threads do the same work, this one included; each takes what is next until nothing is left. */
static void side_by_side(void *(*work)(void *), void *what, int threads, int64_t others_most) {
    pthread_t others[THREADS_MAX];
    int started = 0;
    while (started < threads - 1 && started < THREADS_MAX && started < others_most
           && pthread_create(&others[started], NULL, work, what) == 0)
        started++;
    work(what);
    for (int i = 0; i < started; i++) pthread_join(others[i], NULL);
}

static int run_all(Run *run, int threads) {
    run->n_tasks = plan(run, NULL, NULL, NULL);
    int64_t *tasks = malloc(sizeof(int64_t) * (size_t)(3 * run->n_tasks + 1));
    if (tasks == NULL) return 0;
    run->task_symbol = tasks;
    run->task_first = tasks + run->n_tasks;
    run->task_count = tasks + 2 * run->n_tasks;
    plan(run, run->task_symbol, run->task_first, run->task_count);
    side_by_side(work_off, run, threads, run->n_tasks - 1);
    free(tasks);
    return !run->out_of_memory;
}

/* run(steps, constants, runs, reaches, slots, look_back, inputs, starts, lengths, wanted, places, out, single, compared, stride,
 * threads, tile, lanes): inputs is a tuple of (values, at) with at an int32 buffer or None; out holds floats
 * if single, else doubles. Checks are the caller's. */
static PyObject *py_run(PyObject *module, PyObject *args) {
    (void)module;
    Py_buffer steps, constants, runs, reaches, starts, lengths, wanted, places, out, compared;
    PyObject *inputs;
    Run run = {0};
    int threads;
    if (!PyArg_ParseTuple(args, "y*y*y*y*LLOy*y*y*y*w*iw*LiLL", &steps, &constants, &runs, &reaches, &run.slots, &run.look_back, &inputs,
                          &starts, &lengths, &wanted, &places, &out, &run.single, &compared, &run.out_stride,
                          &threads, &run.tile, &run.lanes))
        return NULL;
    Py_buffer *views = NULL;
    int64_t held = 0;
    int done = 0;
    run.n_inputs = PyTuple_Size(inputs);
    run.inputs = calloc((size_t)run.n_inputs + 1, sizeof(Input));
    views = calloc((size_t)(2 * run.n_inputs + 1), sizeof(Py_buffer));
    if (run.inputs == NULL || views == NULL || run.n_inputs < 0) { PyErr_NoMemory(); goto end; }
    if (run.lanes > 64) run.lanes = 64;
    for (int64_t which = 0; which < run.n_inputs; which++) {
        PyObject *pair = PyTuple_GetItem(inputs, which), *at = PyTuple_GetItem(pair, 1);
        if (at == NULL) goto end;
        if (PyObject_GetBuffer(PyTuple_GetItem(pair, 0), &views[held], PyBUF_SIMPLE) < 0) goto end;
        run.inputs[which].values = views[held++].buf;
        if (at == Py_None) continue;
        if (PyObject_GetBuffer(at, &views[held], PyBUF_SIMPLE) < 0) goto end;
        run.inputs[which].at = views[held++].buf;
    }
    run.steps = steps.buf;
    run.n_steps = steps.len / (Py_ssize_t)sizeof(Step);
    run.constants = constants.buf;
    run.runs = runs.buf;
    run.reaches = reaches.buf;
    run.starts = starts.buf;
    run.lengths = lengths.buf;
    run.wanted = wanted.buf;
    run.places = places.buf;
    run.n_symbols = starts.len / (Py_ssize_t)sizeof(int64_t);
    run.out = out.buf;
    run.compared = compared.buf;
    Py_BEGIN_ALLOW_THREADS
    done = run_all(&run, threads);
    Py_END_ALLOW_THREADS
    if (!done) PyErr_NoMemory();
end:
    while (held > 0) PyBuffer_Release(&views[--held]);
    free(views);
    free(run.inputs);
    PyBuffer_Release(&steps); PyBuffer_Release(&constants); PyBuffer_Release(&runs); PyBuffer_Release(&reaches);
    PyBuffer_Release(&starts);
    PyBuffer_Release(&lengths); PyBuffer_Release(&wanted); PyBuffer_Release(&places); PyBuffer_Release(&out);
    PyBuffer_Release(&compared);
    if (!done) return NULL;
    Py_RETURN_NONE;
}

/* align(days, starts, lengths, known_days, carry, at): for each row the latest known day by then, carried over
 * at most `carry` rows of its symbol, as a place in known_days or -1. */
static PyObject *py_align(PyObject *module, PyObject *args) {
    (void)module;
    Py_buffer days_, starts_, lengths_, known_, at_;
    long long carry;
    if (!PyArg_ParseTuple(args, "y*y*y*y*Lw*", &days_, &starts_, &lengths_, &known_, &carry, &at_)) return NULL;
    const int64_t *days = days_.buf, *starts = starts_.buf, *lengths = lengths_.buf, *known = known_.buf;
    const int64_t n_symbols = starts_.len / 8, n_known = known_.len / 8;
    int32_t *at = at_.buf;
    Py_BEGIN_ALLOW_THREADS
    for (int64_t symbol = 0; symbol < n_symbols; symbol++) {
        int64_t latest = 0, age = 0; /* known[latest - 1] is the latest day known so far */
        if (lengths[symbol] > 0) { /* start where the symbol starts, by bisection */
            int64_t low = 0, high = n_known;
            const int64_t day = days[starts[symbol]];
            while (low < high) { const int64_t m = (low + high) / 2; if (known[m] < day) low = m + 1; else high = m; }
            latest = low;
            age = 0;
        }
        for (int64_t row = 0; row < lengths[symbol]; row++) {
            const int64_t day = days[starts[symbol] + row];
            const int64_t before = latest;
            while (latest < n_known && known[latest] <= day) latest++;
            if (latest > before && known[latest - 1] == day) age = 0;
            else if (latest > before || row == 0) age = 1;
            else age++;
            at[starts[symbol] + row] = latest > 0 && age <= carry ? (int32_t)(latest - 1) : -1;
        }
    }
    Py_END_ALLOW_THREADS
    PyBuffer_Release(&days_); PyBuffer_Release(&starts_); PyBuffer_Release(&lengths_);
    PyBuffer_Release(&known_); PyBuffer_Release(&at_);
    Py_RETURN_NONE;
}

enum { RANK, MEAN, FROM_MEAN, DEVIATION, RISING };
typedef struct { double value; int32_t member; } Ranked;

static void sort_ranked(Ranked *from, Ranked *spare, int64_t count) {
    Ranked *source = from, *target = spare;
    for (int64_t width = 1; width < count; width *= 2) {
        for (int64_t low = 0; low < count; low += 2 * width) {
            int64_t left = low, right = least(low + width, count);
            const int64_t middle = right, high = least(low + 2 * width, count);
            for (int64_t at = low; at < high; at++)
                target[at] = right >= high || (left < middle && source[left].value <= source[right].value)
                                 ? source[left++] : source[right++];
        }
        Ranked *other = source; source = target; target = other;
    }
    if (source != from) memcpy(from, source, sizeof(Ranked) * (size_t)count);
}

/* A comparison of all days: rules are (kind, row compared, column written, within sector). Groups are numbered
 * 0 (all symbols of the day) and 1 + sector. */
typedef struct {
    const int64_t *days, *places, *wanted; /* of each row; of each symbol */
    const int32_t *sectors, *rules;        /* of each symbol */
    int64_t first_day, n_days, n_symbols, n_rules, n_groups, days_together, stride, next;
    const double *compared;
    void *out;
    int single, out_of_memory;
} Comparison;

/* Some days of the symbols that have rows on them, a line a member and a column a day: what is done to a day
 * is done to all columns at once. A member's `first` row and their `count` are in rows of all; lines are
 * `width` apart, unknown where a symbol has no row and beyond the last column. */
typedef struct {
    int64_t members, columns, width, from;
    int64_t *first, *count;
    int32_t *group, *column; /* of each member; of each day from `from` on */
    double *values, *results, *sums, *counts;
    Ranked *ranked;
} Days;

static int64_t row_of_day(const Comparison *all, int64_t symbol, int64_t day) {
    int64_t low = all->places[symbol], high = low + all->wanted[symbol];
    while (low < high) {
        const int64_t middle = (low + high) / 2;
        if (all->days[middle] < day) low = middle + 1; else high = middle;
    }
    return low;
}

static void find_days(const Comparison *all, Days *block, int64_t from, int64_t days) {
    memset(block->column, 0, sizeof(int32_t) * (size_t)days);
    block->from = from;
    block->members = block->columns = 0;
    for (int64_t symbol = 0; symbol < all->n_symbols; symbol++) {
        const int64_t first = row_of_day(all, symbol, from), end = row_of_day(all, symbol, from + days);
        if (first == end) continue;
        block->first[block->members] = first;
        block->count[block->members] = end - first;
        block->group[block->members++] = 1 + all->sectors[symbol];
        for (int64_t row = first; row < end; row++) block->column[all->days[row] - from] = 1;
    }
    for (int64_t day = 0; day < days; day++)
        if (block->column[day]) block->column[day] = (int32_t)block->columns++;
    block->width = (block->columns + TOGETHER - 1) / TOGETHER * TOGETHER;
    if (2 * block->columns <= TOGETHER) block->width = block->columns; /* too few to be worked on together */
}

/* Rows have their days in order: a member that has as many of them as there are has them all. */
static void load_days(const Comparison *all, Days *block, const double *compared) {
    for (int64_t member = 0; member < block->members; member++) {
        const int64_t first = block->first[member], count = block->count[member];
        double *line = block->values + member * block->width;
        const int64_t filled = count == block->columns ? count : 0;
        memcpy(line, compared + first, 8 * (size_t)filled);
        for (int64_t column = filled; column < block->width; column++) line[column] = NAN;
        for (int64_t row = filled; row < count; row++)
            line[block->column[all->days[first + row] - block->from]] = compared[first + row];
    }
}

static void store_days(const Comparison *all, const Days *block, int64_t column) {
    for (int64_t member = 0; member < block->members; member++) {
        const int64_t first = block->first[member], count = block->count[member];
        double *line = block->results + member * block->width;
        if (count < block->columns) /* a row's column is never before its place among the rows */
            for (int64_t row = 0; row < count; row++)
                line[row] = line[block->column[all->days[first + row] - block->from]];
        if (all->single) mend_to_single(line, (float *)all->out + column * all->stride + first, count);
        else mend(line, (double *)all->out + column * all->stride + first, count);
    }
}

MANY_MACHINES static void round_to_rank(double *values, int64_t count) {
    for (int64_t i = 0; i < count; i++) values[i] = rint(values[i] * 1e9) / 1e9;
}

/* The rank of a value is how many of its day are below, and half of those that equal it, itself among them.
 * Without ties the numbers of those below add up to that of the pairs. */
MANY_MACHINES static void rank_by_counting(Days *block) {
    const int64_t width = block->width;
    for (int64_t from = 0; from < width; from += TOGETHER) {
        const double *values = block->values + from;
        double *results = block->results + from;
        int64_t known[TOGETHER] = {0}, below[TOGETHER] = {0};
        for (int64_t one = 0; one < block->members; one++) {
            const double *mine = values + one * width;
            int64_t less[TOGETHER] = {0};
            for (int64_t other = 0; other < block->members; other++)
                for (int64_t i = 0; i < TOGETHER; i++) less[i] += values[other * width + i] < mine[i];
            for (int64_t i = 0; i < TOGETHER; i++) {
                known[i] += mine[i] == mine[i];
                below[i] += less[i];
                results[one * width + i] = (double)less[i];
            }
        }
        for (int64_t i = 0; i < TOGETHER; i++) {
            const int has_ties = below[i] != known[i] * (known[i] - 1) / 2;
            for (int64_t one = 0; has_ties && one < block->members; one++) {
                int64_t equal = 0;
                for (int64_t other = 0; other < block->members; other++)
                    equal += values[other * width + i] == values[one * width + i];
                results[one * width + i] += (double)(equal - 1) / 2;
            }
        }
        for (int64_t one = 0; one < block->members; one++)
            for (int64_t i = 0; i < TOGETHER; i++)
                results[one * width + i] = values[one * width + i] == values[one * width + i]
                                               ? (results[one * width + i] + 0.5) / (double)known[i] : NAN;
    }
}

static void rank_by_sorting(Days *block, int64_t column) {
    Ranked *ranked = block->ranked;
    double *results = block->results + column;
    int64_t count = 0;
    for (int64_t member = 0; member < block->members; member++) {
        const double value = block->values[member * block->width + column];
        ranked[count] = (Ranked){value, (int32_t)member};
        results[member * block->width] = NAN;
        count += value == value;
    }
    sort_ranked(ranked, ranked + block->members, count);
    for (int64_t low = 0, high = 0; low < count; low = high) {
        while (high < count && ranked[high].value == ranked[low].value) high++;
        for (int64_t i = low; i < high; i++)
            results[ranked[i].member * block->width] = ((double)low + (double)(high - low) / 2) / (double)count;
    }
}

enum { COUNTED_MOST = 192 }; /* symbols, beyond which sorting is faster than counting */

static void rank_days(Days *block) {
    round_to_rank(block->values, block->members * block->width);
    if (block->members <= COUNTED_MOST && block->width % TOGETHER == 0) { rank_by_counting(block); return; }
    for (int64_t column = 0; column < block->columns; column++) rank_by_sorting(block, column);
}

/* Make of the means of the days their deviations, divisor n; the squares take room that results need later. */
static void deviate(Days *block) {
    double *squares = block->results;
    memset(squares, 0, sizeof(double) * (size_t)block->width);
    for (int64_t member = 0; member < block->members; member++)
        for (int64_t i = 0; i < block->width; i++) {
            const double away = block->values[member * block->width + i] - block->sums[i];
            squares[i] += away == away ? away * away : 0.0;
        }
    for (int64_t i = 0; i < block->width; i++) block->sums[i] = sqrt(squares[i] / block->counts[i]);
}

/* Add what is known of a line to the sums of a group. */
INLINE void add_line(const Days *block, const double *restrict line, int64_t group, int kind) {
    double *restrict sums = block->sums + group * block->width;
    double *restrict counts = block->counts + group * block->width;
    for (int64_t i = 0; i < block->width; i++) {
        const double value = kind == RISING ? direction_of(line[i], 1e-9) : line[i];
        sums[i] += line[i] == line[i] ? value : 0.0;
        counts[i] += line[i] == line[i] ? 1.0 : 0.0;
    }
}

MANY_MACHINES static void summarise_days(Days *block, int kind, int within, int64_t n_groups) {
    const int64_t width = block->width, groups = within ? n_groups : 1;
    double *sums = block->sums, *counts = block->counts;
    memset(sums, 0, sizeof(double) * (size_t)(groups * width));
    memset(counts, 0, sizeof(double) * (size_t)(groups * width));
    for (int64_t member = 0; member < block->members; member++) {
        const double *line = block->values + member * width;
        add_line(block, line, 0, kind);
        if (within && block->group[member] > 0) add_line(block, line, block->group[member], kind);
    }
    for (int64_t i = 0; i < groups * width; i++) sums[i] /= counts[i] > 0 ? counts[i] : 1;
    if (kind == RISING)
        for (int64_t i = 0; i < groups * width; i++) sums[i] = 0.5 + sums[i] / 2;
    if (kind == DEVIATION) deviate(block);
    for (int64_t member = 0; member < block->members; member++) {
        const double *line = block->values + member * width;
        const double *group = sums + (within ? block->group[member] : 0) * width;
        double *results = block->results + member * width;
        for (int64_t i = 0; i < width; i++) {
            const double result = kind == FROM_MEAN ? line[i] - group[i] : group[i];
            results[i] = line[i] == line[i] ? result : NAN;
        }
    }
}

static void compare_block(const Comparison *all, Days *block, int64_t from, int64_t days) {
    find_days(all, block, from, days);
    for (int64_t which = 0; which < all->n_rules; which++) {
        const int32_t *rule = all->rules + 4 * which;
        load_days(all, block, all->compared + rule[1] * all->stride);
        if (rule[0] == RANK) rank_days(block);
        else summarise_days(block, rule[0], rule[3], all->n_groups);
        store_days(all, block, rule[2]);
    }
}

static void *compare_days(void *argument) {
    Comparison *all = argument;
    const size_t width = (size_t)all->days_together + TOGETHER, symbols = (size_t)all->n_symbols + 1;
    const size_t line = 8 * width, groups = (size_t)all->n_groups;
    Days block = {.first = malloc(8 * symbols), .count = malloc(8 * symbols), .group = malloc(4 * symbols),
                  .column = malloc(4 * width), .values = malloc(line * symbols), .results = malloc(line * symbols),
                  .sums = malloc(line * groups), .counts = malloc(line * groups),
                  .ranked = malloc(2 * sizeof(Ranked) * symbols)};
    if (block.first && block.count && block.group && block.column && block.values && block.results && block.sums
        && block.counts && block.ranked) {
        for (;;) {
            const int64_t from = __atomic_fetch_add(&all->next, all->days_together, __ATOMIC_RELAXED);
            if (from >= all->n_days) break;
            compare_block(all, &block, all->first_day + from, least(all->days_together, all->n_days - from));
        }
    } else {
        all->out_of_memory = 1;
    }
    free(block.first); free(block.count); free(block.group); free(block.column); free(block.values);
    free(block.results); free(block.sums); free(block.counts); free(block.ranked);
    return NULL;
}

enum { ROWS_TOGETHER = 16384 };

/* compare(days, places, wanted, sectors, n_sectors, first_day, n_days, rules, compared, out, single, stride,
 * threads): days are those of the rows written; sectors those of the symbols, -1 if not known. */
static PyObject *py_compare(PyObject *module, PyObject *args) {
    (void)module;
    Py_buffer days, places, wanted, sectors, rules, compared, out;
    int threads;
    Comparison all = {0};
    if (!PyArg_ParseTuple(args, "y*y*y*y*LLLy*y*w*iLi", &days, &places, &wanted, &sectors, &all.n_groups,
                          &all.first_day, &all.n_days, &rules, &compared, &out, &all.single, &all.stride, &threads))
        return NULL;
    all.days = days.buf;
    all.places = places.buf;
    all.wanted = wanted.buf;
    all.sectors = sectors.buf;
    all.rules = rules.buf;
    all.compared = compared.buf;
    all.out = out.buf;
    all.n_groups += 1;
    all.n_symbols = places.len / 8;
    all.n_rules = rules.len / 16;
    all.days_together = least(ROWS_TOGETHER / (all.n_symbols + 1) + 8, all.n_days);
    Py_BEGIN_ALLOW_THREADS
    side_by_side(compare_days, &all, threads, (all.n_days - 1) / all.days_together);
    Py_END_ALLOW_THREADS
    PyBuffer_Release(&days); PyBuffer_Release(&places); PyBuffer_Release(&wanted); PyBuffer_Release(&sectors);
    PyBuffer_Release(&rules); PyBuffer_Release(&compared); PyBuffer_Release(&out);
    if (all.out_of_memory) return PyErr_NoMemory();
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"run", py_run, METH_VARARGS, "Run a program over the bars of many symbols."},
    {"align", py_align, METH_VARARGS, "Find for each row the latest day known by then."},
    {"compare", py_compare, METH_VARARGS, "Compare the symbols of each day."},
    {NULL, NULL, 0, NULL},
};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_engine", NULL, -1, methods, NULL, NULL, NULL, NULL};
PyMODINIT_FUNC PyInit__engine(void) { return PyModule_Create(&definition); }
