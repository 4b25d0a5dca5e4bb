/*
 * The inner loops of winograd.h, which says what they compute: the values of a tile, the sums over
 * the depth, and outputs of sums.
 */
#ifndef BENCH_KERNELS_ARMV7EM_WINOGRAD_CORES_H
#define BENCH_KERNELS_ARMV7EM_WINOGRAD_CORES_H

#include "armv7em/expand.h"
#include "armv7em/naked.h"

/* Where the outputs of three tiles go: right column first, in it the lower row, lane by lane. */
typedef struct {
    int8_t *pixels[2][2][LANES];
    const channels_t *exact;
} tiles_t;

/*
 * Makes two channels of three tiles of their sums [row][column][channel][lane]; returns where the
 * numbers behind the weights end. Lane 0 is last.
 */
typedef const int32_t *tiles_fn_t(const int32_t *numbers, const int32_t *sums, const tiles_t *tiles,
                                  int32_t channel);

/* The loop over the depth after the first unit: bytes of code that are skipped, and rounds. */
typedef struct {
    int32_t skip;
    int32_t loops;
} tiles_depth_t;

/*
 * One row of a tile, four cells of two channels each in A0-A3, to the same registers but for column
 * 1, which goes to T. r1: the row; r2: bytes of a cell.
 */
#define TILE_ROW(HALF, A0, A1, A2, A3, T)                                                          \
    "add     " T ", r1, r2              \n"                                                        \
    "ldr.w   " A0 ", [r1]               \n"                                                        \
    "ldr.w   " A1 ", [r1, r2]           \n"                                                        \
    "ldr.w   " A2 ", [r1, r2, lsl #1]   \n"                                                        \
    "ldr.w   " A3 ", [" T ", r2, lsl #1]\n"                                                        \
    "sxtb16  " A0 ", " A0 HALF "        \n"                                                        \
    "sxtb16  " A1 ", " A1 HALF "        \n"                                                        \
    "sxtb16  " A2 ", " A2 HALF "        \n"                                                        \
    "sxtb16  " A3 ", " A3 HALF "        \n"                                                        \
    "sadd16  " T ", " A1 ", " A2 "      \n"                                                        \
    "ssub16  " A0 ", " A0 ", " A2 "     \n"                                                        \
    "ssub16  " A3 ", " A1 ", " A3 "     \n"                                                        \
    "ssub16  " A2 ", " A2 ", " A1 "     \n"
#define GO_DOWN_1(T)                                                                               \
    "ldr     " T ", [sp, #20]           \n"                                                        \
    "add     r1, r1, " T "              \n"
#define GO_UP_2(T)                                                                                 \
    "ldr     " T ", [sp, #20]           \n"                                                        \
    "sub     r1, r1, " T ", lsl #1      \n"
#define GO_DOWN_3(T)                                                                               \
    GO_DOWN_1(T)                                                                                   \
    "add     r1, r1, " T ", lsl #1      \n"
#define PUT_SUM(A, B, TO, AT)                                                                      \
    "sadd16  " TO ", " A ", " B "       \n"                                                        \
    "str     " TO ", [r0" AT "]         \n"
#define PUT_DIFFERENCE(A, B, TO, AT)                                                               \
    "ssub16  " TO ", " A ", " B "       \n"                                                        \
    "str     " TO ", [r0" AT "]         \n"
#define NEXT_ROW "add     r0, r0, r3, lsl #2      \n"
#define KEEP_ROW "stm     sp, {r4, r6, r7, r12}   \n"
#define TAKE_ROW "ldm     sp, {r4, r6, r7, r12}   \n"
#define NEXT_WORD                                                                                  \
    "sub     r0, r0, lr, lsl #2         \n"                                                        \
    "add     r0, r0, #12                \n"

/* The 16 values of two channels of a tile, for a word each; r1 is row 1 before and after. */
#define HALF_TILE(HALF)                                                                            \
    TILE_ROW(HALF, "r4", "r5", "r6", "r7", "r12")                                                  \
    GO_DOWN_1("r5")                                                                                \
    TILE_ROW(HALF, "r8", "r9", "r10", "r11", "r5")                                                 \
    PUT_SUM("r12", "r5", "r9", "")                                                                 \
    PUT_SUM("r6", "r10", "r9", ", r3")                                                             \
    PUT_SUM("r4", "r8", "r9", ", r3, lsl #1")                                                      \
    PUT_SUM("r7", "r11", "r9", ", lr")                                                             \
    NEXT_ROW                                                                                       \
    PUT_DIFFERENCE("r5", "r12", "r9", "")                                                          \
    PUT_DIFFERENCE("r10", "r6", "r9", ", r3")                                                      \
    PUT_DIFFERENCE("r8", "r4", "r9", ", r3, lsl #1")                                               \
    PUT_DIFFERENCE("r11", "r7", "r9", ", lr")                                                      \
    NEXT_ROW                                                                                       \
    KEEP_ROW                                                                                       \
    GO_UP_2("r9")                                                                                  \
    TILE_ROW(HALF, "r4", "r6", "r7", "r12", "r9")                                                  \
    PUT_DIFFERENCE("r9", "r5", "r9", "")                                                           \
    PUT_DIFFERENCE("r7", "r10", "r7", ", r3")                                                      \
    PUT_DIFFERENCE("r4", "r8", "r4", ", r3, lsl #1")                                               \
    PUT_DIFFERENCE("r12", "r11", "r12", ", lr")                                                    \
    NEXT_ROW                                                                                       \
    GO_DOWN_3("r9")                                                                                \
    TILE_ROW(HALF, "r8", "r9", "r10", "r11", "r5")                                                 \
    GO_UP_2("r9")                                                                                  \
    TAKE_ROW                                                                                       \
    PUT_DIFFERENCE("r12", "r5", "r5", "")                                                          \
    PUT_DIFFERENCE("r6", "r10", "r10", ", r3")                                                     \
    PUT_DIFFERENCE("r4", "r8", "r8", ", r3, lsl #1")                                               \
    PUT_DIFFERENCE("r7", "r11", "r11", ", lr")                                                     \
    NEXT_WORD
#define FOUR_CHANNELS HALF_TILE("") HALF_TILE(", ror #8")

/*
 * The values of a tile of cells of `c` bytes, four by four of them, at x, to every third word.
 *
 * r3: bytes from one of the 16 to the next; lr: thrice that. On the stack: [0] a row, [16] where
 * the channels end, in row 1, [20] row_bytes.
 */
NAKED void transform_tile(UNUSED int32_t *to, UNUSED const int8_t *x, UNUSED int32_t c,
                          UNUSED int32_t row_bytes)
{
    __asm volatile("push    {r4-r11, lr}       \n"
                   "sub     sp, sp, #28        \n"
                   "str     r3, [sp, #20]      \n"
                   "add     r1, r1, r3         \n"
                   "add     r4, r1, r2         \n"
                   "str     r4, [sp, #16]      \n"
                   "add     r3, r2, r2, lsl #1 \n"
                   "add     lr, r3, r3, lsl #1 \n"
                   "lsl     r3, r3, #1         \n"
                   "lsl     lr, lr, #1         \n"
                   "1:                         \n" FOUR_CHANNELS "ldr     r4, [sp, #16]      \n"
                   "add     r1, r1, #4         \n"
                   "cmp     r1, r4             \n"
                   "bne.w   1b                 \n"
                   "add     sp, sp, #28        \n"
                   "pop     {r4-r11, pc}       \n");
}

/* r2, r3: weights of two channels; r4-r6: values of the three tiles; r7-r9, r10-r12: their sums. */
#define TILES_UNIT                                                                                 \
    "ldrd    r2, r3, [r1], #8           \n"                                                        \
    "ldmia.n r0!, {r4, r5, r6}          \n"                                                        \
    "smlad   r7, r4, r2, r7             \n"                                                        \
    "smlad   r8, r5, r2, r8             \n"                                                        \
    "smlad   r9, r6, r2, r9             \n"                                                        \
    "smlad   r10, r4, r3, r10           \n"                                                        \
    "smlad   r11, r5, r3, r11           \n"                                                        \
    "smlad   r12, r6, r3, r12           \n"
/* The first unit, which spreads where the sums begin, r7 and r10, to all tiles; */
#define TILES_BEGIN                                                                                \
    "ldrd    r7, r10, [r1], #8          \n"                                                        \
    "ldrd    r2, r3, [r1], #8           \n"                                                        \
    "ldmia.n r0!, {r4, r5, r6}          \n"                                                        \
    "smlad   r8, r5, r2, r7             \n"                                                        \
    "smlad   r9, r6, r2, r7             \n"                                                        \
    "smlad   r7, r4, r2, r7             \n"                                                        \
    "smlad   r11, r5, r3, r10           \n"                                                        \
    "smlad   r12, r6, r3, r10           \n"                                                        \
    "smlad   r10, r4, r3, r10           \n"
/* or which begins them at 0. */
#define TILES_BEGIN_AT_0                                                                           \
    "ldrd    r2, r3, [r1], #8           \n"                                                        \
    "ldmia.n r0!, {r4, r5, r6}          \n"                                                        \
    "smuad   r7, r4, r2                 \n"                                                        \
    "smuad   r8, r5, r2                 \n"                                                        \
    "smuad   r9, r6, r2                 \n"                                                        \
    "smuad   r10, r4, r3                \n"                                                        \
    "smuad   r11, r5, r3                \n"                                                        \
    "smuad   r12, r6, r3                \n"
/* The others, eight in a round. ADD to the pc counts from behind the nop. */
#define TILES_DEPTH                                                                                \
    "ldrd    r3, lr, [sp, #8]           \n"                                                        \
    "add     pc, r3                     \n"                                                        \
    "nop.n                              \n"                                                        \
    "2:                                 \n"                                                        \
    ".rept   8                          \n" TILES_UNIT ".endr                              \n"     \
    "3:                                 \n"                                                        \
    ".if     3b - 2b - 8 * 30           \n"                                                        \
    ".error  \"a unit has another length\"\n"                                                      \
    ".endif                             \n"                                                        \
    "subs    lr, lr, #1                 \n"                                                        \
    "bne.w   2b                         \n"
#define TILES_KEEP                                                                                 \
    "add     r2, sp, #16                \n"                                                        \
    "stm     r2, {r7-r12}               \n"
#define TILES_TAKE                                                                                 \
    "add     r2, sp, #16                \n"                                                        \
    "ldm     r2, {r7-r12}               \n"
#define TILES_PUT                                                                                  \
    "ldr     r2, [sp]                   \n"                                                        \
    "stmia   r2!, {r7-r12}              \n"                                                        \
    "str     r2, [sp]                   \n"
/* The sum of A and B to B, A - B to A. */
#define ADD_AND_SUBTRACT(A, B)                                                                     \
    "add     " B ", " A ", " B "        \n"                                                        \
    "rsb     " A ", " B ", " A ", lsl #1\n"
/* The same of what was kept, m1, and m2; m1 - m2 is then kept. */
#define TILES_ADD_AND_SUBTRACT                                                                     \
    "add     r2, sp, #16                \n"                                                        \
    "ldm     r2, {r2-r6, lr}            \n" ADD_AND_SUBTRACT("r2", "r7")                           \
        ADD_AND_SUBTRACT("r3", "r8") ADD_AND_SUBTRACT("r4", "r9") ADD_AND_SUBTRACT("r5", "r10")    \
            ADD_AND_SUBTRACT("r6", "r11")                                                          \
                ADD_AND_SUBTRACT("lr", "r12") "strd    r2, r3, [sp, #16]          \n"              \
                                              "strd    r4, r5, [sp, #24]          \n"              \
                                              "strd    r6, lr, [sp, #32]          \n"
/* A row of the 16: m1, m2, then m0 and m3 on top of them. */
#define TILES_ROW                                                                                  \
    TILES_BEGIN                                                                                    \
    TILES_DEPTH                                                                                    \
    TILES_KEEP                                                                                     \
    TILES_BEGIN_AT_0                                                                               \
    TILES_DEPTH                                                                                    \
    TILES_ADD_AND_SUBTRACT                                                                         \
    TILES_UNIT                                                                                     \
    TILES_DEPTH                                                                                    \
    TILES_PUT                                                                                      \
    TILES_TAKE                                                                                     \
    TILES_UNIT                                                                                     \
    TILES_DEPTH                                                                                    \
    TILES_PUT

/*
 * The sums of two channels of three tiles, [row][column][channel][lane], of the four rows of the 16
 * and the two columns that are left of them. Returns where the weights end.
 *
 * On the stack: [0] where sums go, [4] their end, [8] the depth, [16] six sums that are kept.
 */
NAKED const int32_t *sum_tiles(UNUSED const int32_t *stream, UNUSED const int32_t *values,
                               UNUSED int32_t *sums, UNUSED const tiles_depth_t *depth)
{
    __asm volatile("push    {r4-r11, lr}       \n"
                   "sub     sp, sp, #44        \n"
                   "add     r4, r2, #192       \n"
                   "ldrd    r6, r7, [r3]       \n"
                   "strd    r2, r4, [sp]       \n"
                   "strd    r6, r7, [sp, #8]   \n"
                   "mov     r2, r0             \n"
                   "mov     r0, r1             \n"
                   "mov     r1, r2             \n"
                   "1:                         \n" TILES_ROW "ldr     r3, [sp, #4]       \n"
                   "cmp     r2, r3             \n"
                   "bne.w   1b                 \n"
                   "mov     r0, r1             \n"
                   "add     sp, sp, #44        \n"
                   "pop     {r4-r11, pc}       \n");
}

#define LOAD_LANES(A, B, C, AT)                                                                    \
    "ldrd    " A ", " B ", [r1, #" AT "]\n"                                                        \
    "ldr     " C ", [r1, #" AT " + 8]   \n"
#define ADD_LANES(A, B, C)                                                                         \
    "add     " A ", " A ", r10          \n"                                                        \
    "add     " B ", " B ", r11          \n"                                                        \
    "add     " C ", " C ", r12          \n"
#define STORE_LANES(A, B, C)                                                                       \
    "ldmia.w r2!, {r10, r11, r12}       \n"                                                        \
    "strb    " C ", [r12, r3]           \n"                                                        \
    "strb    " B ", [r11, r3]           \n"                                                        \
    "strb    " A ", [r10, r3]           \n"

/*
 * Upper and lower output of a column, one channel of three tiles: r7-r9 and r4-r6. Four rows are
 * left of the 16; they are combined as columns were. Then both are rounded, and stored.
 */
#define TILE_COLUMN(AT, RESCALE)                                                                   \
    LOAD_LANES("r4", "r5", "r6", AT)                                                               \
    LOAD_LANES("r7", "r8", "r9", AT " + 48")                                                       \
    ADD_AND_SUBTRACT("r4", "r7")                                                                   \
    ADD_AND_SUBTRACT("r5", "r8")                                                                   \
    ADD_AND_SUBTRACT("r6", "r9")                                                                   \
    LOAD_LANES("r10", "r11", "r12", AT " + 96")                                                    \
    ADD_LANES("r7", "r8", "r9")                                                                    \
    LOAD_LANES("r10", "r11", "r12", AT " + 144")                                                   \
    ADD_LANES("r4", "r5", "r6")                                                                    \
    RESCALE                                                                                        \
    STORE_LANES("r4", "r5", "r6")                                                                  \
    STORE_LANES("r7", "r8", "r9")

#define EACH_OUTPUT(DO) DO("r4") DO("r5") DO("r6") DO("r7") DO("r8") DO("r9")

/* A line: see block.h. The numbers of a channel are multiplier and addend. */
#define TILE_LINE(SUM) "smmlar  " SUM ", " SUM ", r10, r11 \n"
#define TILE_SHIFT(SUM, SHIFT) "ssat    " SUM ", #8, " SUM ", asr #" SHIFT "\n"
#define TILE_NUMBERS(AT) "ldrd    r10, r11, [r0, #" AT "]\n"
#define TILES_LINE(CHANNEL, SHIFT)                                                                 \
    TILE_NUMBERS("8 * " CHANNEL)                                                                   \
    EACH_OUTPUT(TILE_LINE)                                                                         \
    TILE_SHIFT("r4", SHIFT)                                                                        \
    TILE_SHIFT("r5", SHIFT)                                                                        \
    TILE_SHIFT("r6", SHIFT)                                                                        \
    TILE_SHIFT("r7", SHIFT)                                                                        \
    TILE_SHIFT("r8", SHIFT)                                                                        \
    TILE_SHIFT("r9", SHIFT)

/* What the reference does: multiplier, shift less one, and the zero point and half a unit. */
#define TILE_ROUND(SUM)                                                                            \
    "asr     " SUM ", " SUM ", #1       \n"                                                        \
    "smmlar  r12, " SUM ", r10, lr      \n"                                                        \
    "add     r12, r12, " SUM ", asr #31 \n"                                                        \
    "asr     r12, r12, r11              \n"                                                        \
    "ssat    " SUM ", #8, r12, asr #1   \n"
#define TILE_POINT(AT) "ldr     lr, [r0, #" AT "]\n"
#define TILES_ROUND(CHANNEL)                                                                       \
    TILE_NUMBERS("12 * " CHANNEL)                                                                  \
    TILE_POINT("12 * " CHANNEL " + 8")                                                             \
    EACH_OUTPUT(TILE_ROUND)

/* The addends are so much higher that SSAT is the upper clamp; see block.h. Only bytes matter. */
#define TILE_CLAMP(OUTPUT)                                                                         \
    "qsub8   " OUTPUT ", " OUTPUT ", r10\n"                                                        \
    "sadd8   " OUTPUT ", " OUTPUT ", r11\n"
#define TILES_clamp(AT)                                                                            \
    TILE_NUMBERS(AT)                                                                               \
    EACH_OUTPUT(TILE_CLAMP)
#define TILES_int8(AT)
#define TILES_CLAMP_BYTES_clamp "8"
#define TILES_CLAMP_BYTES_int8 "0"

#define TILES_ENTER "push    {r4-r11, lr}            \n"
#define TILES_SECOND                                                                               \
    "sub     r2, r2, #48                \n"                                                        \
    "add     r3, r3, #1                 \n"
#define TILES_LEAVE(BYTES)                                                                         \
    "add     r0, r0, #" BYTES "         \n"                                                        \
    "pop     {r4-r11, pc}               \n"
#define TILES_BODY(FIRST, SECOND, BYTES)                                                           \
    TILES_ENTER                                                                                    \
    TILE_COLUMN("24", FIRST)                                                                       \
    TILE_COLUMN("0", FIRST)                                                                        \
    TILES_SECOND                                                                                   \
    TILE_COLUMN("36", SECOND)                                                                      \
    TILE_COLUMN("12", SECOND)                                                                      \
    TILES_LEAVE(BYTES)
#define TILES(NAME, FIRST, SECOND, BYTES)                                                          \
    NAKED const int32_t *NAME(UNUSED const int32_t *numbers, UNUSED const int32_t *sums,           \
                              UNUSED const tiles_t *tiles, UNUSED int32_t channel)                 \
    {                                                                                              \
        __asm volatile(TILES_BODY(FIRST, SECOND, BYTES));                                          \
    }

#define TILES_OF_LINES(SHIFT, CLAMP)                                                               \
    TILES(tiles_line_##CLAMP##_##SHIFT, TILES_LINE("0", #SHIFT) TILES_##CLAMP("16"),               \
          TILES_LINE("1", #SHIFT) TILES_##CLAMP("16"), "16 + " TILES_CLAMP_BYTES_##CLAMP)
#define TILES_ROUNDED(CLAMP)                                                                       \
    TILES(tiles_round_##CLAMP, TILES_ROUND("0") TILES_##CLAMP("24"),                               \
          TILES_ROUND("1") TILES_##CLAMP("24"), "24 + " TILES_CLAMP_BYTES_##CLAMP)

TILES_ROUNDED(int8)
TILES_ROUNDED(clamp)

#define TILES_LINES(SHIFT) TILES_OF_LINES(SHIFT, int8) TILES_OF_LINES(SHIFT, clamp)

TILES_LINES(1)
TILES_LINES(2)
TILES_LINES(3)
TILES_LINES(4)
TILES_LINES(5)
TILES_LINES(6)
TILES_LINES(7)
TILES_LINES(8)
TILES_LINES(9)
TILES_LINES(10)
TILES_LINES(11)
TILES_LINES(12)
TILES_LINES(13)
TILES_LINES(14)
TILES_LINES(15)

#endif
