/*
 * Expanding int8 activations to the 16 bits that SMLAD multiplies.
 *
 * Of four values side by side SXTB16 takes the first and the third, and after a rotation the second
 * and the fourth; weights are laid out in that order. Three pixels lie word by word side by side,
 * as the inner loop of block.h takes them.
 */
#ifndef BENCH_KERNELS_ARMV7EM_EXPAND_H
#define BENCH_KERNELS_ARMV7EM_EXPAND_H

#include "armv7em/naked.h"
#include "window.h"

#define LANES 3

/* Values 0 and 2 of a word of four. */
KERNEL int32_t even_values(int32_t four)
{
    int32_t two;
    __asm("sxtb16 %0, %1" : "=r"(two) : "r"(four));
    return two;
}

/* Values 1 and 3. */
KERNEL int32_t odd_values(int32_t four)
{
    int32_t two;
    __asm("sxtb16 %0, %1, ror #8" : "=r"(two) : "r"(four));
    return two;
}

/* Four values, which need not be aligned. */
KERNEL int32_t load_word(const int8_t *x)
{
    int32_t word;
    __builtin_memcpy(&word, x, sizeof word);
    return word;
}

/* r4-r6: three pixels; r7-r9, r10-r12: values 0 and 2, 1 and 3 of a word of each. */
#define FOUR_OF_EACH                                                                               \
    "ldr.w   r10, [r4], #4      \n"                                                                \
    "ldr.w   r11, [r5], #4      \n"                                                                \
    "ldr.w   r12, [r6], #4      \n"                                                                \
    "sxtb16  r7, r10            \n"                                                                \
    "sxtb16  r8, r11            \n"                                                                \
    "sxtb16  r9, r12            \n"                                                                \
    "sxtb16  r10, r10, ror #8   \n"                                                                \
    "sxtb16  r11, r11, ror #8   \n"                                                                \
    "sxtb16  r12, r12, ror #8   \n"                                                                \
    "stmia.w r0!, {r7-r12}      \n"

#define EXPAND_UNROLLED 4
#define EXPAND_BYTES 40

/*
 * Expands words of four values of each of three pixels, and returns where it ended. The loop is
 * unrolled by EXPAND_UNROLLED words of EXPAND_BYTES of code; the first of `rounds` leaves out
 * `skip` bytes of it. What is added to the program counter counts from four bytes behind the
 * addition.
 */
NAKED int32_t *expand_lanes(UNUSED int32_t *to, UNUSED const int8_t *x0, UNUSED const int8_t *x1,
                            UNUSED const int8_t *x2, UNUSED int32_t skip, UNUSED int32_t rounds)
{
    __asm volatile("push    {r4-r9}            \n"
                   "ldrd    r4, r12, [sp, #24] \n"
                   ".balign 4                  \n"
                   "add     pc, r4             \n"
                   "nop                        \n"
                   "1:                         \n"
                   ".rept   4                  \n"
                   "ldr.w   r7, [r1], #4       \n"
                   "ldr.w   r8, [r2], #4       \n"
                   "ldr.w   r9, [r3], #4       \n"
                   "sxtb16  r4, r7             \n"
                   "sxtb16  r5, r8             \n"
                   "sxtb16  r6, r9             \n"
                   "sxtb16  r7, r7, ror #8     \n"
                   "sxtb16  r8, r8, ror #8     \n"
                   "sxtb16  r9, r9, ror #8     \n"
                   "stmia.w r0!, {r4-r9}       \n"
                   ".endr                      \n"
                   "2:                         \n"
                   ".if     2b - 1b - 4 * 40   \n"
                   ".error  \"EXPAND_BYTES\"   \n"
                   ".endif                     \n"
                   "subs    r12, r12, #1       \n"
                   "bne.w   1b                 \n"
                   "pop     {r4-r9}            \n"
                   "bx      lr                 \n");
}

/* Where windows have their cells: `runs` stretches of cells that lie side by side. */
typedef struct {
    int32_t step; /* bytes from a window to that of the next column */
    int32_t runs;
    int32_t words;      /* of a run, four values each, */
    int32_t rest;       /* and values that are left over, */
    int32_t rest_bytes; /* which lie so far behind the first word */
} gather_t;

typedef void gather_fn_t(int32_t *to, const int8_t *const *runs, int32_t first, const gather_t *p);

/*
 * Gathers three windows side by side. `runs` is where the runs begin in column 0, `first` how many
 * bytes further those of the first window do. Of values left over, two make a word: their place
 * moves on by 2 and 10 bytes in turn.
 *
 * r4-r6: the three windows; r7-r9, r10-r12: their words. On the stack: [0] runs to go, [4] words,
 * [8] values left over, [12] their place, [16] how far it moves next.
 */
NAKED void gather_lanes(UNUSED int32_t *to, UNUSED const int8_t *const *runs, UNUSED int32_t first,
                        UNUSED const gather_t *p)
{
    __asm volatile("push    {r4-r11, lr}       \n"
                   "sub     sp, sp, #20        \n"
                   "ldm     r3, {r3-r7}        \n"
                   "add     r7, r0, r7         \n"
                   "mov     r8, #2             \n"
                   "stm     sp, {r4-r8}        \n"
                   "1:                         \n" /* a run */
                   "ldr     r4, [r1], #4       \n"
                   "add     r4, r4, r2         \n"
                   "add     r5, r4, r3         \n"
                   "add     r6, r5, r3         \n"
                   "ldr     lr, [sp, #4]       \n"
                   "cmp     lr, #0             \n"
                   "beq     4f                 \n"
                   "add     lr, lr, #1         \n"
                   "lsrs    lr, lr, #1         \n"
                   "bcc     3f                 \n"
                   "2:                         \n" FOUR_OF_EACH
                   "3:                         \n" FOUR_OF_EACH "subs    lr, lr, #1         \n"
                   "bne     2b                 \n"
                   "4:                         \n"
                   "ldr     lr, [sp, #8]       \n"
                   "cmp     lr, #0             \n"
                   "beq     6f                 \n"
                   "ldrd    r11, r12, [sp, #12]\n"
                   "5:                         \n" /* a value left over */
                   "ldrsb   r7, [r4], #1       \n"
                   "ldrsb   r8, [r5], #1       \n"
                   "ldrsb   r9, [r6], #1       \n"
                   "strh    r7, [r11]          \n"
                   "strh    r8, [r11, #4]      \n"
                   "strh    r9, [r11, #8]      \n"
                   "add     r11, r11, r12      \n"
                   "rsb     r12, r12, #12      \n"
                   "subs    lr, lr, #1         \n"
                   "bne     5b                 \n"
                   "strd    r11, r12, [sp, #12]\n"
                   "6:                         \n"
                   "ldr     lr, [sp]           \n"
                   "subs    lr, lr, #1         \n"
                   "str     lr, [sp]           \n"
                   "bne     1b                 \n"
                   "add     sp, sp, #20        \n"
                   "pop     {r4-r11, pc}       \n");
}

/* What of a run is in words, and a value left over, `rest` bytes behind where they go. */
#define RUN_OF_EACH(WORDS)                                                                         \
    "ldr     r4, [r1], #4       \n"                                                                \
    "add     r4, r4, r2         \n"                                                                \
    "add     r5, r4, r3         \n"                                                                \
    "add     r6, r5, r3         \n" WORDS
#define REST_OF_EACH(rest)                                                                         \
    "ldrsb   r7, [r4]           \n"                                                                \
    "ldrsb   r8, [r5]           \n"                                                                \
    "ldrsb   r9, [r6]           \n"                                                                \
    "strh    r7, [r0, #" rest "]\n"                                                                \
    "strh    r8, [r0, #" rest " + 4]\n"                                                            \
    "strh    r9, [r0, #" rest " + 8]\n"

/* The same for the 3x3 windows with which networks for images begin: three runs of nine values, */
NAKED void gather_nines(UNUSED int32_t *to, UNUSED const int8_t *const *runs, UNUSED int32_t first,
                        UNUSED const gather_t *p)
{
    __asm volatile("push    {r4-r11, lr}       \n"
                   "ldr     r3, [r3]           \n" RUN_OF_EACH(FOUR_OF_EACH FOUR_OF_EACH)
                       REST_OF_EACH("96") RUN_OF_EACH(FOUR_OF_EACH FOUR_OF_EACH) REST_OF_EACH("50")
                           RUN_OF_EACH(FOUR_OF_EACH FOUR_OF_EACH)
                               REST_OF_EACH("12") "pop     {r4-r11, pc}       \n");
}

/* and three of three, which take a word each. */
NAKED void gather_threes(UNUSED int32_t *to, UNUSED const int8_t *const *runs, UNUSED int32_t first,
                         UNUSED const gather_t *p)
{
    __asm volatile("push    {r4-r11, lr}       \n"
                   "ldr     r3, [r3]           \n" RUN_OF_EACH(FOUR_OF_EACH)
                       RUN_OF_EACH(FOUR_OF_EACH)
                           RUN_OF_EACH(FOUR_OF_EACH) "pop     {r4-r11, pc}       \n");
}

/* Expands words of one window, to one word in `lanes`. */
KERNEL int32_t *expand_lane(int32_t *to, const int8_t *x, int32_t words, int32_t lanes)
{
#pragma GCC unroll 1
    for (; words > 0; words--, x += 4, to += 2 * lanes) {
        const int32_t four = load_word(x);
        to[0] = even_values(four);
        to[lanes] = odd_values(four);
    }
    return to;
}

#endif
