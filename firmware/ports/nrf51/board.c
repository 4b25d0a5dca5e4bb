/*
 * Nordic nRF51 on the micro:bit: console on UART 0, whose lines go to the interface chip.
 * Source: Nordic nRF51 Series Reference Manual v3.0.1, 29 "UART".
 */
#include "board.h"

typedef struct {
    volatile uint32_t TASKS_STARTRX; /* 0x000 */
    volatile uint32_t TASKS_STOPRX;
    volatile uint32_t TASKS_STARTTX;
    volatile uint32_t TASKS_STOPTX;
    volatile uint32_t RESERVED0[62];
    volatile uint32_t EVENTS_RXDRDY; /* 0x108 */
    volatile uint32_t RESERVED1[4];
    volatile uint32_t EVENTS_TXDRDY; /* 0x11C */
    volatile uint32_t RESERVED2[248];
    volatile uint32_t ENABLE; /* 0x500 */
    volatile uint32_t RESERVED3;
    volatile uint32_t PSELRTS; /* 0x508 */
    volatile uint32_t PSELTXD;
    volatile uint32_t PSELCTS;
    volatile uint32_t PSELRXD;
    volatile uint32_t RXD; /* 0x518 */
    volatile uint32_t TXD;
    volatile uint32_t RESERVED4;
    volatile uint32_t BAUDRATE; /* 0x524 */
} NRF_UART_Type;

_Static_assert(__builtin_offsetof(NRF_UART_Type, EVENTS_TXDRDY) == 0x11C, "reference manual");
_Static_assert(__builtin_offsetof(NRF_UART_Type, ENABLE) == 0x500, "reference manual");
_Static_assert(__builtin_offsetof(NRF_UART_Type, BAUDRATE) == 0x524, "reference manual");

#define NRF_UART0 ((NRF_UART_Type *)0x40002000u)

#define UART_ENABLE 4u
#define UART_BAUDRATE_115200 0x01D7E000u
#define PIN_TXD 24u
#define PIN_RXD 25u

/* A transmitter that has not sent a byte for so many polls is taken for dead. */
#define TX_POLLS_MAX 1000000u

board_fault_t board_init(void)
{
    NRF_UART0->PSELTXD = PIN_TXD;
    NRF_UART0->PSELRXD = PIN_RXD;
    NRF_UART0->BAUDRATE = UART_BAUDRATE_115200;
    NRF_UART0->ENABLE = UART_ENABLE;
    NRF_UART0->TASKS_STARTRX = 1;
    NRF_UART0->TASKS_STARTTX = 1;
    return BOARD_UP;
}

/* The event comes again as long as the six bytes that the UART keeps are not all taken. */
uint32_t uart_read(uint8_t *data, uint32_t capacity)
{
    uint32_t count = 0;
    while (count < capacity && NRF_UART0->EVENTS_RXDRDY != 0u) {
        NRF_UART0->EVENTS_RXDRDY = 0;
        data[count++] = (uint8_t)NRF_UART0->RXD;
    }
    return count;
}

int32_t uart_write(const uint8_t *data, uint32_t size_bytes)
{
    for (uint32_t i = 0; i < size_bytes; i++) {
        NRF_UART0->EVENTS_TXDRDY = 0;
        NRF_UART0->TXD = data[i];
        uint32_t polls = 0;
        while (NRF_UART0->EVENTS_TXDRDY == 0u) {
            if (++polls == TX_POLLS_MAX) {
                return -1;
            }
        }
    }
    return 0;
}
