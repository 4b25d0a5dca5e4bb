/*
 * Depthwise passes for MVE, a window of eight channels at a time: for planes so small that eight
 * windows of a channel are more than there are, or for which the last block is nearly empty. Lanes
 * are channels, so that no lane is idle, constants are vectors, and outputs lie together.
 */
#ifndef BENCH_KERNELS_MVE_CHANNELS_H
#define BENCH_KERNELS_MVE_CHANNELS_H

#include "passes.h"

/* clang-format off */

/* The next of eight channels' sums of a window; a line takes `room` bytes. */
#define CHANNEL_SUM(s0)                                                                            \
    ".if %c[chunks] == 1\n"                                                                        \
    "vldrb.8 q0, [r1], #%c[room]\n"                                                                \
    "vldrb.8 q1, [r3], #16\n"                                                                      \
    "vmladav.s8 " s0 ", q0, q1\n"                                                                  \
    ".else\n"                                                                                      \
    "vldrb.8 q0, [r1, #16]\n"                                                                      \
    "vldrb.8 q1, [r3, #16]\n"                                                                      \
    "vmladav.s8 " s0 ", q0, q1\n"                                                                  \
    ".set chunk, 2\n"                                                                              \
    ".rept %c[chunks] - 2\n"                                                                       \
    "vldrb.8 q0, [r1, #(16 * chunk)]\n"                                                            \
    "vldrb.8 q1, [r3, #(16 * chunk)]\n"                                                            \
    "vmladava.s8 " s0 ", q0, q1\n"                                                                 \
    ".set chunk, chunk + 1\n"                                                                      \
    ".endr\n"                                                                                      \
    "vldrb.8 q0, [r1], #%c[room]\n"                                                                \
    "vldrb.8 q1, [r3], #(16 * %c[chunks])\n"                                                       \
    "vmladava.s8 " s0 ", q0, q1\n"                                                                 \
    ".endif\n"

/* Constants of eight channels, each four even ones and then four odd ones. */
#define CHANNELS_LINE_LOAD                                                                         \
    "vldrw.32 q4, [r5, #32]\n"                                                                     \
    "vldrw.32 q5, [r5, #48]\n"
#define CHANNELS_ROUND_LOAD                                                                        \
    "vldrw.32 q2, [r5]\n"                                                                          \
    "vldrw.32 q3, [r5, #16]\n"                                                                     \
    "vldrw.32 q4, [r5, #32]\n"                                                                     \
    "vldrw.32 q5, [r5, #48]\n"                                                                     \
    "vldrw.32 q6, [r5, #64]\n"                                                                     \
    "vldrw.32 q7, [r5, #80]\n"

/* Sums in q0 and q1 become eight outputs. */
#define CHANNELS_LINE                                                                              \
    "vldrw.32 q2, [r5]\n"                                                                          \
    "vldrw.32 q3, [r5, #16]\n"                                                                     \
    "vmla.s32 q2, q0, r0\n"                                                                        \
    "vmla.s32 q3, q1, r0\n"                                                                        \
    "vqrdmulh.s32 q2, q2, q4\n"                                                                    \
    "vqrdmulh.s32 q3, q3, q5\n"                                                                    \
    "vsri.32 q3, q2, #16\n"                                                                        \
    "vqmovnb.s16 q0, q3\n"
#define CHANNELS_ROUND                                                                             \
    "vadd.i32 q0, q0, q2\n"                                                                        \
    "vadd.i32 q1, q1, q3\n"                                                                        \
    "vqrdmulh.s32 q0, q0, q4\n"                                                                    \
    "vqrdmulh.s32 q1, q1, q5\n"                                                                    \
    "vqdmlah.s32 q0, q0, r2\n"                                                                     \
    "vqdmlah.s32 q1, q1, r2\n"                                                                     \
    "vrshl.s32 q0, q0, q6\n"                                                                       \
    "vrshl.s32 q1, q1, q7\n"                                                                       \
    "vsli.32 q0, q1, #16\n"                                                                        \
    "vqadd.s16 q0, q0, r0\n"                                                                       \
    "vqmovnb.s16 q0, q0\n"

/*
 * All windows of up to eight channels, one after the other. r1, r3 and r7 are where x, the weights
 * and y stand, r9 counts columns, and what a window needs besides is loaded to even registers.
 */
#define CHANNELS(way)                                                                              \
    "ldr r0, [r11, #44]\n"                                                                         \
    "vctp.16 r0\n"                                                                                 \
    "ldrd r3, r5, [r11, #28]\n"                                                                    \
    "ldrd r1, r7, [r11, #36]\n"                                                                    \
    CHANNELS_##way##_LOAD                                                                          \
    "adds r11, r11, #80\n"                                                                         \
    "1:\n"                                                                                         \
    "ldr r9, [r11, #24]\n"                                                                         \
    "2:\n"                                                                                         \
    CHANNEL_SUM("r0")                                                                              \
    CHANNEL_SUM("r2")                                                                              \
    CHANNEL_SUM("r4")                                                                              \
    CHANNEL_SUM("r6")                                                                              \
    CHANNEL_SUM("r8")                                                                              \
    CHANNEL_SUM("r10")                                                                             \
    CHANNEL_SUM("r12")                                                                             \
    CHANNEL_SUM("lr")                                                                              \
    "vmov q0[2], q0[0], r0, r8\n"                                                                  \
    "vmov q0[3], q0[1], r4, r12\n"                                                                 \
    "vmov q1[2], q1[0], r2, r10\n"                                                                 \
    "vmov q1[3], q1[1], r6, lr\n"                                                                  \
    "ldm r11, {r0, r2, r4, r6}\n"                                                                  \
    CHANNELS_##way                                                                                 \
    "vpst\n"                                                                                       \
    "vstrbt.16 q0, [r7]\n"                                                                         \
    "add r1, r1, r4\n"                                                                             \
    "add r7, r7, r6\n"                                                                             \
    "sub r3, r3, #(128 * %c[chunks])\n"                                                            \
    "subs r9, r9, #1\n"                                                                            \
    "bne 2b\n"                                                                                     \
    "ldrd r0, r2, [r11, #16]\n"                                                                    \
    "add r1, r1, r0\n"                                                                             \
    "add r7, r7, r2\n"                                                                             \
    "ldr r0, [r11, #28]\n"                                                                         \
    "subs r0, r0, #1\n"                                                                            \
    "str r0, [r11, #28]\n"                                                                         \
    "bne 1b\n"

/* clang-format on */

/* Passes for windows whose taps take `chunks` times 16 bytes, of lines of `room` bytes. */
#define CHANNELS_ASM(function, way, chunks_, room_)                                                \
    SHARED void function(depthwise_pass_t *pass)                                                   \
    {                                                                                              \
        register depthwise_pass_t *r11 __asm__("r11") = pass;                                      \
        __asm__ volatile(CHANNELS(way)                                                             \
                         : "+r"(r11)                                                               \
                         : [chunks] "i"(chunks_), [room] "i"(room_)                                \
                         : "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10",      \
                           "r12", "lr", "q0", "q1", "q2", "q3", "q4", "q5", "q6", "q7", "cc",      \
                           "memory");                                                              \
    }
#define CHANNELS_PASS(chunks, room)                                                                \
    CHANNELS_ASM(depthwise_channels_##chunks##_line, LINE, chunks, room)                           \
    CHANNELS_ASM(depthwise_channels_##chunks##_round, ROUND, chunks, room)

CHANNELS_PASS(1, 64)
CHANNELS_PASS(2, 64)
CHANNELS_PASS(3, 96)
CHANNELS_PASS(4, 120)

#endif
