/*
 * Depthwise passes for MVE, eight windows of a channel at a time: where rows are long enough, what
 * is fastest. Lanes are outputs of one channel, so that its constants are scalars.
 */
#ifndef BENCH_KERNELS_MVE_WINDOWS_H
#define BENCH_KERNELS_MVE_WINDOWS_H

#include "passes.h"

/* clang-format off */

/* Where window i of a block lies: row i % rows, column i / rows. */
#define WINDOW_AT(i) "(" #i " %% %c[rows] * %c[down] + " #i " / %c[rows] * %c[step])"

/* The sums of one to four windows that are loaded together; x moves on by `way`. */
#define SUM_1(way, s0)                                                                             \
    ".if %c[chunks] == 1\n"                                                                        \
    "vldrb.8 q0, [r1], #(" way ")\n"                                                               \
    "vmladav.s8 " s0 ", q0, q4\n"                                                                  \
    ".else\n"                                                                                      \
    "vldrb.8 q1, [r1, #16]\n"                                                                      \
    "vmladav.s8 " s0 ", q1, q5\n"                                                                  \
    ".if %c[chunks] > 2\n"                                                                         \
    "vldrb.8 q0, [r1, #32]\n"                                                                      \
    "vmladava.s8 " s0 ", q0, q6\n"                                                                 \
    "vldrb.8 q1, [r1, #48]\n"                                                                      \
    "vmladava.s8 " s0 ", q1, q7\n"                                                                 \
    ".endif\n"                                                                                     \
    "vldrb.8 q0, [r1], #(" way ")\n"                                                               \
    "vmladava.s8 " s0 ", q0, q4\n"                                                                 \
    ".endif\n"
#define SUM_2(way, s0, s1)                                                                         \
    ".if %c[chunks] == 1\n"                                                                        \
    "vldrb.8 q0, [r1], #(" way ")\n"                                                               \
    "vmladav.s8 " s0 ", q0, q4\n"                                                                  \
    "vmladav.s8 " s1 ", q0, q5\n"                                                                  \
    ".else\n"                                                                                      \
    "vldrb.8 q1, [r1, #16]\n"                                                                      \
    "vmladav.s8 " s0 ", q1, q5\n"                                                                  \
    "vmladav.s8 " s1 ", q1, q7\n"                                                                  \
    "vldrb.8 q0, [r1], #(" way ")\n"                                                               \
    "vmladava.s8 " s0 ", q0, q4\n"                                                                 \
    "vmladava.s8 " s1 ", q0, q6\n"                                                                 \
    ".endif\n"
#define SUM_3(way, s0, s1, s2)                                                                     \
    "vldrb.8 q0, [r1], #(" way ")\n"                                                               \
    "vmladav.s8 " s0 ", q0, q4\n"                                                                  \
    "vmladav.s8 " s1 ", q0, q5\n"                                                                  \
    "vmladav.s8 " s2 ", q0, q6\n"
#define SUM_4(way, s0, s1, s2, s3)                                                                 \
    "vldrb.8 q0, [r1], #(" way ")\n"                                                               \
    "vmladav.s8 " s0 ", q0, q4\n"                                                                  \
    "vmladav.s8 " s1 ", q0, q5\n"                                                                  \
    "vmladav.s8 " s2 ", q0, q6\n"                                                                  \
    "vmladav.s8 " s3 ", q0, q7\n"

/* The way from window i of a block to window j; window 8 is the first of the next. */
#define WAY(i, j) WINDOW_AT(j) " - " WINDOW_AT(i)

/* The sums of eight windows, and x behind them. */
#define BLOCK_1                                                                                    \
    SUM_1(WAY(0, 1), "r0")                                                                         \
    SUM_1(WAY(1, 2), "r2")                                                                         \
    SUM_1(WAY(2, 3), "r4")                                                                         \
    SUM_1(WAY(3, 4), "r6")                                                                         \
    SUM_1(WAY(4, 5), "r8")                                                                         \
    SUM_1(WAY(5, 6), "r10")                                                                        \
    SUM_1(WAY(6, 7), "r12")                                                                        \
    SUM_1(WAY(7, 8), "lr")
#define BLOCK_2                                                                                    \
    SUM_2(WAY(0, 2), "r0", "r2")                                                                   \
    SUM_2(WAY(2, 4), "r4", "r6")                                                                   \
    SUM_2(WAY(4, 6), "r8", "r10")                                                                  \
    SUM_2(WAY(6, 8), "r12", "lr")
#define BLOCK_3                                                                                    \
    SUM_3(WAY(0, 3), "r0", "r2", "r4")                                                             \
    SUM_3(WAY(3, 6), "r6", "r8", "r10")                                                            \
    SUM_2(WAY(6, 8), "r12", "lr")
#define BLOCK_4                                                                                    \
    SUM_4(WAY(0, 4), "r0", "r2", "r4", "r6")                                                       \
    SUM_4(WAY(4, 8), "r8", "r10", "r12", "lr")

/* Sums in q0 and q1 become eight outputs, as columns.h says; `shift` is for factors above 1. */
#define WINDOWS_LINE                                                                               \
    "vmlas.s32 q0, q2, r7\n"                                                                       \
    "vmlas.s32 q1, q2, r7\n"                                                                       \
    "vqrdmulh.s32 q0, q0, r11\n"                                                                   \
    "vqrdmulh.s32 q1, q1, r11\n"                                                                   \
    "vsri.32 q1, q0, #16\n"                                                                        \
    "vqmovnb.s16 q0, q1\n"
/* What rounding begins with, and what clamping ends with. */
#define WINDOWS_SCALE                                                                              \
    "vadd.i32 q0, q0, r0\n"                                                                        \
    "vadd.i32 q1, q1, r0\n"                                                                        \
    "vqrdmulh.s32 q0, q0, r2\n"                                                                    \
    "vqrdmulh.s32 q1, q1, r2\n"                                                                    \
    "vqdmlah.s32 q0, q0, r8\n"                                                                     \
    "vqdmlah.s32 q1, q1, r8\n"                                                                     \
    "vrshl.s32 q0, r4\n"                                                                           \
    "vrshl.s32 q1, r4\n"
#define WINDOWS_NARROW                                                                             \
    "vqmovnb.s32 q0, q0\n"                                                                         \
    "vqmovnt.s32 q0, q1\n"                                                                         \
    "vqadd.s16 q0, q0, r6\n"                                                                       \
    "vdup.16 q2, r10\n"                                                                            \
    "vmax.s16 q0, q0, q2\n"                                                                        \
    "vdup.16 q2, r12\n"                                                                            \
    "vmin.s16 q0, q0, q2\n"
#define WINDOWS_ROUND                                                                              \
    "ldm r11, {r0, r2, r4, r6, r8}\n"                                                              \
    WINDOWS_SCALE                                                                                  \
    "vsli.32 q0, q1, #16\n"                                                                        \
    "vqadd.s16 q0, q0, r6\n"                                                                       \
    "vqmovnb.s16 q0, q0\n"
#define WINDOWS_CLAMP                                                                              \
    "ldm r11, {r0, r2, r4, r6, r8, r10, r12}\n"                                                    \
    WINDOWS_SCALE                                                                                  \
    WINDOWS_NARROW
#define WINDOWS_SHIFT                                                                              \
    "ldm r11, {r0, r2, r4, r6, r8, r10, r12}\n"                                                    \
    "vadd.i32 q0, q0, r0\n"                                                                        \
    "vadd.i32 q1, q1, r0\n"                                                                        \
    "and r8, r4, r4, asr #31\n"                                                                    \
    "bic r4, r4, r4, asr #31\n"                                                                    \
    "vshl.s32 q0, r4\n"                                                                            \
    "vshl.s32 q1, r4\n"                                                                            \
    "vqrdmulh.s32 q0, q0, r2\n"                                                                    \
    "vqrdmulh.s32 q1, q1, r2\n"                                                                    \
    "vrshl.s32 q0, r8\n"                                                                           \
    "vrshl.s32 q1, r8\n"                                                                           \
    WINDOWS_NARROW

/*
 * One channel after the other, with all its blocks of eight windows. r1 and r3 are where x and y
 * stand; the last block begins so that it ends with the last column. `vectors` are those of a
 * channel's weights. The constants of a line stay in r7, r11 and q2 for all blocks, so the stack
 * keeps the address of the pass.
 */
#define WINDOWS(sums, outputs)                                                                     \
    "str r11, [sp, #-8]!\n"                                                                        \
    "ldr r0, [r11, #76]\n"                                                                         \
    "vmsr p0, r0\n"                                                                                \
    "add r0, r11, #60\n"                                                                           \
    "vldrh.16 q3, [r0]\n"                                                                          \
    "ldr r9, [r11, #56]\n"                                                                         \
    "1:\n"                                                                                         \
    "ldrd r0, r2, [r11, #28]\n"                                                                    \
    "vldrb.8 q4, [r0], #16\n"                                                                      \
    ".if %c[vectors] > 1\n"                                                                        \
    "vldrb.8 q5, [r0], #16\n"                                                                      \
    ".endif\n"                                                                                     \
    ".if %c[vectors] > 2\n"                                                                        \
    "vldrb.8 q6, [r0], #16\n"                                                                      \
    ".endif\n"                                                                                     \
    ".if %c[vectors] > 3\n"                                                                        \
    "vldrb.8 q7, [r0], #16\n"                                                                      \
    ".endif\n"                                                                                     \
    "add r4, r2, #12\n"                                                                            \
    "strd r0, r4, [r11, #28]\n"                                                                    \
    "ldrd r1, r3, [r11, #36]\n"                                                                    \
    "ldrd r5, r0, [r11, #48]\n"                                                                    \
    "add r0, r0, r1\n"                                                                             \
    "add r4, r3, #1\n"                                                                             \
    "strd r0, r4, [r11, #36]\n"                                                                    \
    ".if %c[line]\n"                                                                               \
    "ldm r2, {r7, r8, r11}\n"                                                                      \
    "vdup.32 q2, r8\n"                                                                             \
    ".else\n"                                                                                      \
    "ldm r2, {r4, r6, r8}\n"                                                                       \
    "stm r11, {r4, r6, r8}\n"                                                                      \
    ".endif\n"                                                                                     \
    "2:\n"                                                                                         \
    sums                                                                                           \
    "vmov q0[2], q0[0], r0, r8\n"                                                                  \
    "vmov q0[3], q0[1], r4, r12\n"                                                                 \
    "vmov q1[2], q1[0], r2, r10\n"                                                                 \
    "vmov q1[3], q1[1], r6, lr\n"                                                                  \
    outputs                                                                                        \
    "subs r5, r5, #(8 / %c[rows])\n"                                                               \
    ".if %c[masked]\n"                                                                             \
    "vpst\n"                                                                                       \
    "vstrbt.16 q0, [r3, q3]\n"                                                                     \
    ".else\n"                                                                                      \
    "vstrb.16 q0, [r3, q3]\n"                                                                      \
    ".endif\n"                                                                                     \
    "add r3, r3, r9, lsl #(3 - %c[rows] / 2)\n"                                                    \
    "bge 2b\n"                                                                                     \
    "adds r0, r5, #(8 / %c[rows])\n"                                                               \
    "ble 3f\n"                                                                                     \
    "movs r0, #%c[step]\n"                                                                         \
    "mla r1, r5, r0, r1\n"                                                                         \
    "mla r3, r5, r9, r3\n"                                                                         \
    "mvn r5, #(8 / %c[rows] - 1)\n"                                                                \
    "b 2b\n"                                                                                       \
    "3:\n"                                                                                         \
    "ldr r11, [sp]\n"                                                                              \
    "ldr r0, [r11, #44]\n"                                                                         \
    "subs r0, r0, #1\n"                                                                            \
    "str r0, [r11, #44]\n"                                                                         \
    "bne 1b\n"                                                                                     \
    "add sp, sp, #8\n"

/* clang-format on */

#define DEPTHWISE_ASM(function, step_, chunks_, rows_, shared, down_, outputs, is_line, is_masked) \
    SHARED void function(depthwise_pass_t *pass)                                                   \
    {                                                                                              \
        register depthwise_pass_t *r11 __asm__("r11") = pass;                                      \
        __asm__ volatile(                                                                          \
            WINDOWS(BLOCK_##shared, outputs)                                                       \
            : "+r"(r11)                                                                            \
            : [step] "i"(step_), [chunks] "i"(chunks_), [rows] "i"(rows_), [down] "i"(down_),      \
              [vectors] "i"((chunks_) * (shared)), [line] "i"(is_line), [masked] "i"(is_masked)    \
            : "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r12", "lr",      \
              "q0", "q1", "q2", "q3", "q4", "q5", "q6", "q7", "cc", "memory");                     \
    }

/* The same for blocks of which some windows are not stored, and for those that are always full. */
#define DEPTHWISE_WAY(step, chunks, rows, shared, down, way, outputs, is_line)                     \
    DEPTHWISE_ASM(depthwise_##step##_##chunks##_##rows##_##shared##_##way, step, chunks, rows,     \
                  shared, down, outputs, is_line, 1)                                               \
    DEPTHWISE_ASM(depthwise_##step##_##chunks##_##rows##_##shared##_##way##_full, step, chunks,    \
                  rows, shared, down, outputs, is_line, 0)

/*
 * Passes for windows `step` bytes apart whose taps take `chunks` times 16 bytes, in blocks of
 * `rows`, the stride `down` apart; `shared` windows are loaded together.
 */
#define DEPTHWISE_PASS(step, chunks, rows, shared, down)                                           \
    DEPTHWISE_WAY(step, chunks, rows, shared, down, line, WINDOWS_LINE, 1)                         \
    DEPTHWISE_WAY(step, chunks, rows, shared, down, round, WINDOWS_ROUND, 0)                       \
    DEPTHWISE_WAY(step, chunks, rows, shared, down, clamp, WINDOWS_CLAMP, 0)                       \
    DEPTHWISE_WAY(step, chunks, rows, shared, down, shift, WINDOWS_SHIFT, 0)

DEPTHWISE_PASS(1, 1, 1, 1, 1)
DEPTHWISE_PASS(1, 1, 1, 2, 1)
DEPTHWISE_PASS(1, 1, 1, 4, 1)
DEPTHWISE_PASS(2, 1, 1, 1, 1)
DEPTHWISE_PASS(2, 1, 1, 4, 1)
DEPTHWISE_PASS(3, 1, 1, 1, 1)
DEPTHWISE_PASS(3, 1, 1, 3, 1)
DEPTHWISE_PASS(4, 1, 2, 4, 1)
DEPTHWISE_PASS(6, 1, 4, 2, 1)
DEPTHWISE_PASS(6, 1, 1, 1, 1)
DEPTHWISE_PASS(6, 1, 1, 2, 1)
DEPTHWISE_PASS(10, 1, 2, 2, 2)
DEPTHWISE_PASS(5, 2, 1, 1, 1)
DEPTHWISE_PASS(5, 2, 1, 2, 1)
DEPTHWISE_PASS(6, 2, 2, 2, 1)
DEPTHWISE_PASS(10, 2, 1, 1, 1)
DEPTHWISE_PASS(7, 4, 1, 1, 1)
DEPTHWISE_PASS(8, 4, 2, 1, 1)
DEPTHWISE_PASS(14, 4, 1, 1, 1)
DEPTHWISE_PASS(18, 4, 2, 1, 2)

KERNEL rescale_t rescale_of(const mve_depthwise_t *p, int32_t channel)
{
    const int32_t *r = p->rescale + 3 * channel;
    return (rescale_t){r[0], r[1], r[2]};
}

/* A pass for any kernel: sums first, then eight of them are rescaled together. */
SHARED void depthwise_any(depthwise_pass_t *pass)
{
    const mve_depthwise_t *p = pass->p;
    const int32_t step = p->pitch * p->window.stride.w;
    const int32_t columns = pass->columns + BLOCK_WINDOWS / p->rows;
    const uint16x8_t offsets = multiples((uint16_t)p->y.c);

    for (int32_t i = 0; i < pass->channels * pass->rows; i++) {
        const int32_t channel = i / pass->rows, row = i % pass->rows, c = pass->channel + channel;
        const int8_t *weights = p->weights + c * p->weight_bytes;
        const int8_t *x = pass->x + channel * pass->line_bytes + row * p->window.stride.h;
        const rescale_t rescale = rescale_of(p, c);
        int8_t *y = pass->y + row * p->y.w * p->y.c + channel;
        for (int32_t j = 0; j < columns; j += 8, y += 8 * p->y.c) {
            int32_t sums[8] = {0};
            for (int32_t k = 0; k < lesser(8, columns - j); k++, x += step) {
                for (int32_t chunk = 0; chunk < 16 * p->chunks; chunk += 16) {
                    const int8x16_t w = vldrbq_s8(weights + chunk);
                    sums[k] = vmladavaq_s8(sums[k], vldrbq_s8(x + chunk), w);
                }
            }
            const int32x4x2_t both = vld2q_s32(sums);
            vstrbq_scatter_offset_p_s16(
                y, offsets, rescaled(both.val[0], both.val[1], &rescale, false, &p->output),
                vctp16q((uint32_t)(columns - j)));
        }
    }
    pass->y += pass->channels;
}

#endif
