/*
 * The USART of STM32F7, L4+ and H7, polled, without its FIFO.
 * Source: ST RM0385, section 31.8 (USART registers); the same bits in RM0432 and RM0433.
 */
#ifndef BENCH_STM32_USART_H
#define BENCH_STM32_USART_H

#include <stdint.h>

typedef struct {
    volatile uint32_t CR1;
    volatile uint32_t CR2;
    volatile uint32_t CR3;
    volatile uint32_t BRR;
    volatile uint32_t GTPR;
    volatile uint32_t RTOR;
    volatile uint32_t RQR;
    volatile uint32_t ISR;
    volatile uint32_t ICR;
    volatile uint32_t RDR;
    volatile uint32_t TDR;
} USART_TypeDef;

#define USART_CR1_UE (1u << 0)
#define USART_CR1_RE (1u << 2)
#define USART_CR1_TE (1u << 3)
#define USART_CR1_OVER8 (1u << 15)
#define USART_CR3_OVRDIS (1u << 12)
#define USART_ISR_RXNE (1u << 5)
#define USART_ISR_TXE (1u << 7)

/* A transmitter that stays full for so many polls is taken for dead: 10 bits take far fewer. */
#define USART_TX_POLLS_MAX 1000000u

/* Divider for oversampling by 8; the lowest bit of its fraction is not kept by the hardware. */
static inline uint32_t usart_brr_over8(uint32_t clock_hz, uint32_t baud)
{
    const uint32_t divider = (2u * clock_hz + baud / 2u) / baud;
    return (divider & 0xFFF0u) | (divider & 0xFu) >> 1;
}

/* Divider of the low-power UART: 256 times what others take (RM0432, 43.5.4). */
static inline uint32_t lpuart_brr(uint32_t clock_hz, uint32_t baud)
{
    return (uint32_t)((256ull * clock_hz + baud / 2u) / baud);
}

/*
 * 8 data bits, no parity, 1 stop bit. Overruns are not kept as an error that would stop reception:
 * the CRC of the frame that lost a byte tells.
 */
static inline void usart_init_divided(USART_TypeDef *usart, uint32_t brr, uint32_t cr1)
{
    usart->CR1 = cr1;
    usart->CR2 = 0;
    usart->CR3 = USART_CR3_OVRDIS;
    usart->BRR = brr;
    usart->CR1 = cr1 | USART_CR1_RE | USART_CR1_TE | USART_CR1_UE;
}

static inline void usart_init(USART_TypeDef *usart, uint32_t clock_hz, uint32_t baud)
{
    usart_init_divided(usart, usart_brr_over8(clock_hz, baud), USART_CR1_OVER8);
}

static inline uint32_t usart_read(USART_TypeDef *usart, uint8_t *data, uint32_t capacity)
{
    uint32_t count = 0;
    while (count < capacity && (usart->ISR & USART_ISR_RXNE) != 0u) {
        data[count++] = (uint8_t)usart->RDR;
    }
    return count;
}

static inline int32_t usart_write(USART_TypeDef *usart, const uint8_t *data, uint32_t size_bytes)
{
    for (uint32_t i = 0; i < size_bytes; i++) {
        uint32_t polls = 0;
        while ((usart->ISR & USART_ISR_TXE) == 0u) {
            if (++polls == USART_TX_POLLS_MAX) {
                return -1;
            }
        }
        usart->TDR = data[i];
    }
    return 0;
}

#endif
