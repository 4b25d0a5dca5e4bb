/*
 * STM32F446 on a Nucleo-64: console on USART2 (PA2, PA3: the ST-LINK's virtual COM port), the pin
 * that tells of inferences is PA5, which is also the green LED.
 * Source: ST UM1724, 6.4 (LEDs) and 6.8 (USART communication); DS10693, table 11 (alternate
 * functions); RM0390, 33.1 (unique device ID).
 *
 * The caches of this chip are those of its flash interface, which only hold what flash holds.
 */
#include "board.h"

#include "clocks.h"
#include "stm32/gpio.h"
#include "stm32/rcc.h"
#include "stm32/unique_id.h"
#include "stm32/usart_v1.h"

#define GPIOA ((GPIO_TypeDef *)0x40020000u)
#define USART2 ((USART_TypeDef *)0x40004400u)
#define UNIQUE_ID ((const volatile uint32_t *)0x1FFF7A10u)

enum { TX_PIN = 2, RX_PIN = 3, MARK_PIN = 5, USART2_FUNCTION = 7, BAUD = 921600 };

static board_info_t info;

static void pins_start(void)
{
    RCC->AHB1ENR |= RCC_AHB1ENR_GPIOA;
    RCC->APB1ENR |= RCC_APB1ENR_USART2 | RCC_APB1ENR_PWR;
    (void)RCC->APB1ENR; /* peripherals listen two cycles later (RM0390, 6.2.13) */
    gpio_alternate(GPIOA, TX_PIN, USART2_FUNCTION);
    gpio_alternate(GPIOA, RX_PIN, USART2_FUNCTION);
    gpio_output(GPIOA, MARK_PIN);
}

board_fault_t board_init(void)
{
    pins_start();
    info.reset_reason = (uint8_t)rcc_reset_reason();
    unique_id_read(UNIQUE_ID, info.chip_id);
    const board_fault_t fault = clocks_start(&info.measured_hz);
    if (fault != BOARD_UP) {
        info.core_hz = HSI_HZ;
        usart_init(USART2, HSI_HZ, BAUD); /* 2 % off: HSI has no better divider */
        return fault;
    }
    usart_init(USART2, APB1_HZ, BAUD);
    info.core_hz = CORE_HZ;
    info.wait_states = FLASH_WAIT_STATES;
    info.flags = BOARD_ICACHE | BOARD_FLASH_PREFETCH | BOARD_FLASH_ACCELERATOR | BOARD_OVERDRIVE |
                 BOARD_CRYSTAL;
    return BOARD_UP;
}

board_info_t board_info(void)
{
    return info;
}

uint32_t uart_read(uint8_t *data, uint32_t capacity)
{
    return usart_read(USART2, data, capacity);
}

int32_t uart_write(const uint8_t *data, uint32_t size_bytes)
{
    return usart_write(USART2, data, size_bytes);
}

void board_mark(bool is_running)
{
    gpio_write(GPIOA, MARK_PIN, is_running);
}
