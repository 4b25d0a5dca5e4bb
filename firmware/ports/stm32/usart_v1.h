/*
 * The USART of STM32F4, polled.
 * Source: ST RM0390, section 25.6 (USART registers).
 */
#ifndef BENCH_STM32_USART_V1_H
#define BENCH_STM32_USART_V1_H

#include <stdint.h>

typedef struct {
    volatile uint32_t SR;
    volatile uint32_t DR;
    volatile uint32_t BRR;
    volatile uint32_t CR1;
    volatile uint32_t CR2;
    volatile uint32_t CR3;
} USART_TypeDef;

#define USART_SR_RXNE (1u << 5)
#define USART_SR_TXE (1u << 7)
#define USART_CR1_RE (1u << 2)
#define USART_CR1_TE (1u << 3)
#define USART_CR1_UE (1u << 13)

/* A transmitter that stays full for so many polls is taken for dead: 10 bits take far fewer. */
#define USART_TX_POLLS_MAX 1000000u

/* 8 data bits, no parity, 1 stop bit. The divider has 4 bits of fraction: of clock / baud all. */
static inline void usart_init(USART_TypeDef *usart, uint32_t clock_hz, uint32_t baud)
{
    usart->CR1 = 0;
    usart->CR2 = 0;
    usart->CR3 = 0;
    usart->BRR = (clock_hz + baud / 2u) / baud;
    usart->CR1 = USART_CR1_UE | USART_CR1_TE | USART_CR1_RE;
}

/* Reading DR after SR also clears an overrun; the CRC of the frame that lost a byte tells. */
static inline uint32_t usart_read(USART_TypeDef *usart, uint8_t *data, uint32_t capacity)
{
    uint32_t count = 0;
    while (count < capacity && (usart->SR & USART_SR_RXNE) != 0u) {
        data[count++] = (uint8_t)usart->DR;
    }
    return count;
}

static inline int32_t usart_write(USART_TypeDef *usart, const uint8_t *data, uint32_t size_bytes)
{
    for (uint32_t i = 0; i < size_bytes; i++) {
        uint32_t polls = 0;
        while ((usart->SR & USART_SR_TXE) == 0u) {
            if (++polls == USART_TX_POLLS_MAX) {
                return -1;
            }
        }
        usart->DR = data[i];
    }
    return 0;
}

#endif
