/*
 * Columns for MVE, four at a time with two channels: of columns.h, what is fastest unless there are
 * few columns.
 *
 * The lanes of a vector of sums are four columns of one channel, so its constants are scalars,
 * which lie behind its weights: one LDM loads all that a block needs to finish. The outputs of two
 * channels are narrowed into each other and scattered to four pixels.
 *
 * The first chunk of all columns stays in q0 to q3. r1, r3, r5 and r7 are where the columns go on,
 * r9 is where the stream of weights and constants stands and r11 the output; what has no register
 * lies on the stack. Even registers are accumulators: r0, r2, r4 and r6 of one channel, r8, r10,
 * r12 and lr of the other.
 */
#ifndef BENCH_KERNELS_MVE_QUADS_H
#define BENCH_KERNELS_MVE_QUADS_H

#include <arm_mve.h>

#include "../requantize.h"

/* What the assembly works on; it knows the offsets. */
typedef struct {
    const int8_t *x;        /*  0: the first of the next columns */
    int32_t x_odd, x_upper; /*  4: from columns 0 and 2 to 1 and 3, from 0 and 1 to 2 and 3 */
    int32_t x_step;         /* 12: to the next four */
    int32_t first;          /* 16: cells in the first chunk */
    const int32_t *stream;  /* 20 */
    const int8_t *x_end;    /* 24: behind the last columns */
    int32_t y_step;         /* 28: from where the results of four columns end to the next */
    int8_t *y;              /* 32: where the results of the first go */
    int32_t constant[4];    /* 36: what a line multiplies sums with, or the zero point */
    uint16_t offsets[8];    /* 52: of the results of a block */
    uint32_t results;       /* 68: of a block and one column */
} quads_state_t;

/*
 * The stream: of each block of two channels, weights int8 [chunks][2][16], and then words, each but
 * the last for both channels: addends and multipliers of lines, or biases, multipliers and shifts.
 * The last is how far behind its results those of the next block lie: what is below 0 returns to
 * the byte before the first channel and ends the loop, as an address and what is negative carry.
 * Where channels are odd, the last block repeats one.
 */

/* clang-format off */

#define QUADS_FIRST                                                                                \
    "vldrb.8 q4, [r9], #16\n"                                                                      \
    "vmladav.s8 r0, q0, q4\n"                                                                      \
    "vldrb.8 q5, [r9], #16\n"                                                                      \
    "vmladav.s8 r2, q1, q4\n"                                                                      \
    "vmladav.s8 r4, q2, q4\n"                                                                      \
    "vmladav.s8 r6, q3, q4\n"                                                                      \
    "vmladav.s8 r8, q0, q5\n"                                                                      \
    "vmladav.s8 r10, q1, q5\n"                                                                     \
    "vmladav.s8 r12, q2, q5\n"                                                                     \
    "vmladav.s8 lr, q3, q5\n"

/* Further chunks, and then the constant again, whose place they took. */
#define QUADS_MORE                                                                                 \
    ".set chunk, 0\n"                                                                              \
    ".rept %c[more]\n"                                                                             \
    "vldrb.8 q6, [r1, #(16 * chunk)]\n"                                                            \
    "vldrb.8 q4, [r9], #16\n"                                                                      \
    "vmladava.s8 r0, q6, q4\n"                                                                     \
    "vldrb.8 q5, [r9], #16\n"                                                                      \
    "vmladava.s8 r8, q6, q5\n"                                                                     \
    "vldrb.8 q6, [r3, #(16 * chunk)]\n"                                                            \
    "vmladava.s8 r2, q6, q4\n"                                                                     \
    "vmladava.s8 r10, q6, q5\n"                                                                    \
    "vldrb.8 q6, [r5, #(16 * chunk)]\n"                                                            \
    "vmladava.s8 r4, q6, q4\n"                                                                     \
    "vmladava.s8 r12, q6, q5\n"                                                                    \
    "vldrb.8 q6, [r7, #(16 * chunk)]\n"                                                            \
    "vmladava.s8 r6, q6, q4\n"                                                                     \
    "vmladava.s8 lr, q6, q5\n"                                                                     \
    ".set chunk, chunk + 1\n"                                                                      \
    ".endr\n"                                                                                      \
    ".if %c[more]\n"                                                                               \
    "vldrw.32 q6, [sp, #32]\n"                                                                     \
    ".endif\n"

/* Sums in q4 and q5 become outputs in q4, and r8 is the way to the next. */
#define QUADS_LINE                                                                                 \
    "ldm r9!, {r0, r2, r4, r6, r8}\n"                                                              \
    "vmlas.s32 q4, q6, r0\n"                                                                       \
    "vmlas.s32 q5, q6, r2\n"                                                                       \
    "vqrdmulh.s32 q4, q4, r4\n"                                                                    \
    "vqrdmulh.s32 q5, q5, r6\n"                                                                    \
    "vsri.32 q5, q4, #16\n"                                                                        \
    "vqmovnb.s16 q4, q5\n"

/* VRSHL reads the lowest byte of a shift; as a word it is above 0, which VQDMLAH needs. */
#define QUADS_ROUND                                                                                \
    "ldm r9!, {r0, r2, r4, r6, r8, r10, r12}\n"                                                    \
    "vadd.i32 q4, q4, r0\n"                                                                        \
    "vadd.i32 q5, q5, r2\n"                                                                        \
    "vqrdmulh.s32 q4, q4, r4\n"                                                                    \
    "vqrdmulh.s32 q5, q5, r6\n"                                                                    \
    "vqdmlah.s32 q4, q4, r10\n"                                                                    \
    "vqdmlah.s32 q5, q5, r12\n"                                                                    \
    "vrshl.s32 q4, r10\n"                                                                          \
    "vrshl.s32 q5, r12\n"                                                                          \
    "vsli.32 q4, q5, #16\n"                                                                        \
    "vqadd.s16 q4, q4, q6\n"                                                                       \
    "vqmovnb.s16 q4, q4\n"

#define QUADS(outputs)                                                                             \
    "sub sp, sp, #48\n"                                                                            \
    "vldrw.32 q6, [r11, #36]\n"                                                                    \
    "vstrw.32 q6, [sp, #32]\n"                                                                     \
    "vldrh.16 q7, [r11, #52]\n"                                                                    \
    "ldm r11, {r0, r2, r4, r6, r8, r9, r10, r12}\n"                                                \
    "stm sp, {r0, r2, r4, r6, r8, r9, r10, r12}\n"                                                 \
    "ldr r11, [r11, #32]\n"                                                                        \
    "vctp.8 r8\n"                                                                                  \
    "1:\n"                                                                                         \
    "add r3, r0, r2\n"                                                                             \
    "add r5, r0, r4\n"                                                                             \
    "add r7, r3, r4\n"                                                                             \
    "add r6, r6, r0\n"                                                                             \
    "str r6, [sp]\n"                                                                               \
    "vpstttt\n"                                                                                    \
    "vldrbt.8 q0, [r0]\n"                                                                          \
    "vldrbt.8 q1, [r3]\n"                                                                          \
    "vldrbt.8 q2, [r5]\n"                                                                          \
    "vldrbt.8 q3, [r7]\n"                                                                          \
    ".if %c[more]\n"                                                                               \
    "add r1, r0, r8\n"                                                                             \
    "add r3, r3, r8\n"                                                                             \
    "add r5, r5, r8\n"                                                                             \
    "add r7, r7, r8\n"                                                                             \
    ".endif\n"                                                                                     \
    "2:\n"                                                                                         \
    QUADS_FIRST                                                                                    \
    QUADS_MORE                                                                                     \
    "vmov q4[2], q4[0], r0, r4\n"                                                                  \
    "vmov q4[3], q4[1], r2, r6\n"                                                                  \
    "vmov q5[2], q5[0], r8, r12\n"                                                                 \
    "vmov q5[3], q5[1], r10, lr\n"                                                                 \
    outputs                                                                                        \
    "vstrb.16 q4, [r11, q7]\n"                                                                     \
    "adds r11, r11, r8\n"                                                                          \
    "bcc 2b\n"                                                                                     \
    "ldm sp, {r0, r2, r4, r6, r8, r9, r10, r12}\n"                                                 \
    "add r11, r11, r12\n"                                                                          \
    "cmp r0, r10\n"                                                                                \
    "bne 1b\n"                                                                                     \
    "add sp, sp, #48\n"

/* One column: r0 and r2 are the accumulators, lane 0 has the sums, and r7 is the output. */
#define QUADS_SINGLE(outputs)                                                                      \
    "vldrw.32 q6, [r11, #36]\n"                                                                    \
    "ldr r3, [r11, #68]\n"                                                                         \
    "ldm r11, {r0, r2, r4, r6, r8, r9, r10, r12}\n"                                                \
    "ldr r7, [r11, #32]\n"                                                                         \
    "vctp.8 r8\n"                                                                                  \
    "vpst\n"                                                                                       \
    "vldrbt.8 q0, [r0]\n"                                                                          \
    "add r1, r0, r8\n"                                                                             \
    "vctp.16 r3\n"                                                                                 \
    "1:\n"                                                                                         \
    "vldrb.8 q4, [r9], #16\n"                                                                      \
    "vmladav.s8 r0, q0, q4\n"                                                                      \
    "vldrb.8 q5, [r9], #16\n"                                                                      \
    "vmladav.s8 r2, q0, q5\n"                                                                      \
    ".set chunk, 0\n"                                                                              \
    ".rept %c[more]\n"                                                                             \
    "vldrb.8 q1, [r1, #(16 * chunk)]\n"                                                            \
    "vldrb.8 q4, [r9], #16\n"                                                                      \
    "vmladava.s8 r0, q1, q4\n"                                                                     \
    "vldrb.8 q5, [r9], #16\n"                                                                      \
    "vmladava.s8 r2, q1, q5\n"                                                                     \
    ".set chunk, chunk + 1\n"                                                                      \
    ".endr\n"                                                                                      \
    "vmov.32 q4[0], r0\n"                                                                          \
    "vmov.32 q5[0], r2\n"                                                                          \
    outputs                                                                                        \
    "vpst\n"                                                                                       \
    "vstrbt.16 q4, [r7]\n"                                                                         \
    "adds r7, r7, r8\n"                                                                            \
    "bcc 1b\n"

/* clang-format on */

/* A function in assembly that keeps all it knows in a state, of windows of some chunks. */
#define SUMS_ASM(state_type, function, text, chunks)                                               \
    SHARED void function(state_type *state)                                                        \
    {                                                                                              \
        register state_type *s __asm__("r11") = state;                                             \
        __asm__ volatile(text                                                                      \
                         : "+r"(s)                                                                 \
                         : [more] "i"((chunks)-1)                                                  \
                         : "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10",      \
                           "r12", "lr", "q0", "q1", "q2", "q3", "q4", "q5", "q6", "q7", "cc",      \
                           "memory");                                                              \
    }

#define QUADS_OF(chunks)                                                                           \
    SUMS_ASM(quads_state_t, quads_##chunks##_line, QUADS(QUADS_LINE), chunks)                      \
    SUMS_ASM(quads_state_t, quads_##chunks##_round, QUADS(QUADS_ROUND), chunks)                    \
    SUMS_ASM(quads_state_t, quads_single_##chunks##_line, QUADS_SINGLE(QUADS_LINE), chunks)        \
    SUMS_ASM(quads_state_t, quads_single_##chunks##_round, QUADS_SINGLE(QUADS_ROUND), chunks)

QUADS_OF(1)
QUADS_OF(2)
QUADS_OF(3)
QUADS_OF(4)
QUADS_OF(5)
QUADS_OF(6)
QUADS_OF(7)
QUADS_OF(8)
QUADS_OF(9)

/* What quads of any columns have in common. */
typedef struct {
    int32_t channels; /* of an output pixel */
    int32_t first;    /* cells in the first chunk */
    int32_t constant;
    const int32_t *stream;
    void (*quads)(quads_state_t *);  /* one for this number of chunks */
    void (*single)(quads_state_t *); /* the same for one column, or none */
} quads_t;

/* Between four columns the steps are these. */
KERNEL void quads_between(quads_state_t *s, const quads_t *p, int32_t x_step, int32_t odd,
                          int32_t upper)
{
    const uint16x8_t i = vidupq_n_u16(0, 1), one = vdupq_n_u16(1);
    const uint16x8_t is_odd = vandq_u16(vshrq_n_u16(i, 1), one), is_upper = vshrq_n_u16(i, 2);
    const uint16x8_t second = vandq_u16(i, vdupq_n_u16(p->channels > 1));
    const uint16x8_t columns = vmlaq_n_u16(vmulq_n_u16(is_odd, (uint16_t)(odd * p->channels)),
                                           is_upper, (uint16_t)(upper * p->channels));
    vst1q_u16(s->offsets, vaddq_u16(columns, second));
    s->x_odd = odd * x_step;
    s->x_upper = upper * x_step;
}

/* `count` columns, x_step bytes apart: of the last four, some may be the same, done twice. */
SHARED void quads(const quads_t *p, int32_t count, const int8_t *x, int32_t x_step, int8_t *y)
{
    const int32_t whole = count / 4, left = count % 4;
    quads_state_t s;
    s.x = x;
    s.x_step = 4 * x_step;
    s.x_end = x + whole * 4 * x_step;
    s.first = p->first;
    s.stream = p->stream;
    s.y = y;
    s.y_step = 4 * p->channels + 1;
    s.results = (uint32_t)lesser(p->channels, 2);
    vst1q_s32(s.constant, vdupq_n_s32(p->constant));
    if (whole > 0) {
        quads_between(&s, p, x_step, 1, 2);
        p->quads(&s);
        s.x = s.x_end;
        s.y = y + 4 * whole * p->channels;
    }
    if (left == 1 && p->single != 0) {
        p->single(&s);
    } else if (left > 0) {
        s.x_end = s.x + 4 * x_step;
        quads_between(&s, p, x_step, left > 1, left > 2);
        p->quads(&s);
    }
}

#endif
