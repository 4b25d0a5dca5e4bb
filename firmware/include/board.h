/*
 * What a port offers: clocks, the console line, and what it knows of its board.
 * One folder under firmware/ports implements this header and clk.h.
 */
#ifndef BENCH_BOARD_H
#define BENCH_BOARD_H

#include <stdbool.h>
#include <stdint.h>

/* Why a board did not come up. The values are wire values (PROTOCOL.md, FAULT). */
typedef enum {
    BOARD_UP = 0,
    BOARD_OSCILLATOR_DEAD = 1,    /* the oscillator that clocks come from does not start */
    BOARD_PLL_UNLOCKED = 2,       /* the PLL does not lock */
    BOARD_REGULATOR_LOW = 3,      /* the core's supply does not reach what its clock needs */
    BOARD_OVERDRIVE_DEAD = 4,     /* over-drive does not get ready */
    BOARD_FLASH_TOO_FAST = 5,     /* flash does not take its wait states */
    BOARD_CLOCK_NOT_SWITCHED = 6, /* the core stays on the clock that it started with */
} board_fault_t;

/* What the core has switched on. The values are wire values (PROTOCOL.md, BOARD). */
enum {
    BOARD_ICACHE = 1u << 0,
    BOARD_DCACHE = 1u << 1,
    BOARD_FLASH_PREFETCH = 1u << 2,
    BOARD_FLASH_ACCELERATOR = 1u << 3,
    BOARD_OVERDRIVE = 1u << 4,
    BOARD_CRYSTAL = 1u << 5, /* clocks come from a crystal, not from an RC oscillator */
};

/* Why the last reset was. The values are wire values (PROTOCOL.md, BOARD). */
typedef enum {
    RESET_UNKNOWN = 0,
    RESET_POWER = 1,
    RESET_PIN = 2,
    RESET_SOFTWARE = 3,
    RESET_WATCHDOG = 4,
    RESET_LOW_POWER = 5,
    RESET_LOCKUP = 6,
} reset_reason_t;

enum { BOARD_CHIP_ID_BYTES = 12 };

/* What a board says of itself. Zeros are what it does not know. */
typedef struct {
    uint32_t core_hz;     /* as the clock tree was set */
    uint32_t measured_hz; /* the same, counted against a clock of another source */
    uint16_t flags;
    uint8_t wait_states; /* of flash */
    uint8_t reset_reason;
    uint8_t chip_id[BOARD_CHIP_ID_BYTES]; /* no other chip has it */
} board_info_t;

/*
 * Brings up clocks and the console UART. Called once, before anything else of the port. Where it
 * fails the console works all the same, on the clock that the chip starts with.
 */
board_fault_t board_init(void);

/* Returns what is known once the board is up. */
board_info_t board_info(void);

/*
 * Takes up to `capacity` received bytes into `data`. Returns how many, 0 when none has arrived;
 * never waits for the line.
 */
uint32_t uart_read(uint8_t *data, uint32_t capacity);

/* Sends `size_bytes` bytes. Returns 0, or -1 when the line took no byte for a bounded wait. */
int32_t uart_write(const uint8_t *data, uint32_t size_bytes);

/* Raises and lowers the pin that tells a power meter when an inference runs, if there is one. */
void board_mark(bool is_running);

/*
 * Between the two calls a debugger may write memory, and what the core reads afterwards is what was
 * written: no cache holds anything of it.
 */
void board_debugger_may_write(void);
void board_debugger_has_written(void);

#endif
