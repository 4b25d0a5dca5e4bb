/*
 * What a port offers: the console line, and nothing else of the board.
 * One folder under firmware/ports implements this header and clk.h.
 */
#ifndef BENCH_BOARD_H
#define BENCH_BOARD_H

#include <stdint.h>

/* Brings up clocks and the console UART. Called once, before anything else of the port. */
void board_init(void);

/*
 * Takes up to `capacity` received bytes into `data`. Returns how many, 0 when none has arrived;
 * never waits for the line.
 */
uint32_t uart_read(uint8_t *data, uint32_t capacity);

/* Sends `size_bytes` bytes. Returns 0, or -1 when the line took no byte for a bounded wait. */
int32_t uart_write(const uint8_t *data, uint32_t size_bytes);

#endif
