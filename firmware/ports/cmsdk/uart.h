/*
 * The UART of Arm's Cortex-M System Design Kit, polled.
 * Source: Arm DDI 0479, "APB UART".
 */
#ifndef BENCH_CMSDK_UART_H
#define BENCH_CMSDK_UART_H

#include <stdint.h>

typedef struct {
    volatile uint32_t DATA;
    volatile uint32_t STATE;
    volatile uint32_t CTRL;
    volatile uint32_t INTSTATUS;
    volatile uint32_t BAUDDIV;
} CMSDK_UART_TypeDef;

#define CMSDK_UART_STATE_TXFULL (1u << 0)
#define CMSDK_UART_STATE_RXFULL (1u << 1)
#define CMSDK_UART_CTRL_TXEN (1u << 0)
#define CMSDK_UART_CTRL_RXEN (1u << 1)

/* A transmitter that stays full for so many polls is taken for dead. */
#define CMSDK_UART_TX_POLLS_MAX 1000000u

static inline void cmsdk_uart_init(CMSDK_UART_TypeDef *uart, uint32_t divider)
{
    uart->BAUDDIV = divider;
    uart->CTRL = CMSDK_UART_CTRL_TXEN | CMSDK_UART_CTRL_RXEN;
    /* Drops what a boot loader left. QEMU asks its line for bytes only after such a read. */
    (void)uart->DATA;
}

static inline uint32_t cmsdk_uart_read(CMSDK_UART_TypeDef *uart, uint8_t *data, uint32_t capacity)
{
    uint32_t count = 0;
    while (count < capacity && (uart->STATE & CMSDK_UART_STATE_RXFULL) != 0u) {
        data[count++] = (uint8_t)uart->DATA;
    }
    return count;
}

static inline int32_t cmsdk_uart_write(CMSDK_UART_TypeDef *uart, const uint8_t *data,
                                       uint32_t size_bytes)
{
    for (uint32_t i = 0; i < size_bytes; i++) {
        uint32_t polls = 0;
        while ((uart->STATE & CMSDK_UART_STATE_TXFULL) != 0u) {
            if (++polls == CMSDK_UART_TX_POLLS_MAX) {
                return -1;
            }
        }
        uart->DATA = data[i];
    }
    return 0;
}

#endif
