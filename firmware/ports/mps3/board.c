/*
 * Arm MPS3 with the image AN547 (Corstone-300, Cortex-M55): console on UART 0, secure alias.
 * Source of addresses and clock: Arm DAI 0547, memory map.
 */
#include "board.h"

#include "cmsdk/uart.h"

#define UART0 ((CMSDK_UART_TypeDef *)0x59303000u)

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
