/*
 * Arm MPS2+ with the images AN386 (Cortex-M4) and AN500 (Cortex-M7): console on UART 0.
 * Source of addresses and clock: Arm DAI 0386 and DAI 0500, memory map.
 */
#include "board.h"

#include "cmsdk/uart.h"

#define UART0 ((CMSDK_UART_TypeDef *)0x40004000u)

/* 25 MHz / 27 = 925,926 baud, 0.5 % off 921,600. */
#define UART0_DIVIDER 27u

board_fault_t board_init(void)
{
    cmsdk_uart_init(UART0, UART0_DIVIDER);
    return BOARD_UP;
}

uint32_t uart_read(uint8_t *data, uint32_t capacity)
{
    return cmsdk_uart_read(UART0, data, capacity);
}

int32_t uart_write(const uint8_t *data, uint32_t size_bytes)
{
    return cmsdk_uart_write(UART0, data, size_bytes);
}
