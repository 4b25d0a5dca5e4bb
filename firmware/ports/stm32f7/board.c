/*
 * STM32F746 on a Nucleo-144: console on USART3 (PD8, PD9: the ST-LINK's virtual COM port), the
 * pin that tells of inferences is PB0, which is also the green LED.
 * Source: ST UM1974, 6.4 (LEDs) and 6.9 (USART communication); DS10916, table 12 (alternate
 * functions); RM0385, 41.1 (unique device ID).
 *
 * The console is clocked by HSI, so that it works before the PLL does, and when the PLL does not.
 */
#include "board.h"

#include "clocks.h"
#include "stm32/cache.h"
#include "stm32/gpio.h"
#include "stm32/unique_id.h"
#include "stm32/usart.h"

#define GPIOB ((GPIO_TypeDef *)0x40020400u)
#define GPIOD ((GPIO_TypeDef *)0x40020C00u)
#define USART3 ((USART_TypeDef *)0x40004800u)
#define UNIQUE_ID ((const volatile uint32_t *)0x1FF0F420u)

#define RCC_DCKCFGR2_USART3_HSI (2u << 4)

enum { MARK_PIN = 0, TX_PIN = 8, RX_PIN = 9, USART3_FUNCTION = 7, BAUD = 921600 };

static board_info_t info;

static void console_start(void)
{
    RCC->AHB1ENR |= RCC_AHB1ENR_GPIOB | RCC_AHB1ENR_GPIOD;
    RCC->APB1ENR |= RCC_APB1ENR_USART3 | RCC_APB1ENR_PWR;
    RCC->DCKCFGR2 |= RCC_DCKCFGR2_USART3_HSI;
    gpio_alternate(GPIOD, TX_PIN, USART3_FUNCTION);
    gpio_alternate(GPIOD, RX_PIN, USART3_FUNCTION);
    gpio_output(GPIOB, MARK_PIN);
    usart_init(USART3, HSI_HZ, BAUD);
}

board_fault_t board_init(void)
{
    console_start();
    info.reset_reason = (uint8_t)rcc_reset_reason();
    unique_id_read(UNIQUE_ID, info.chip_id);
    const board_fault_t fault = clocks_start();
    if (fault != BOARD_UP) {
        info.core_hz = HSI_HZ;
        return fault;
    }
    icache_on();
    dcache_on();
    info.core_hz = CORE_HZ;
    info.wait_states = FLASH_WAIT_STATES;
    info.flags = BOARD_ICACHE | BOARD_DCACHE | BOARD_FLASH_PREFETCH | BOARD_FLASH_ACCELERATOR |
                 BOARD_OVERDRIVE | BOARD_CRYSTAL;
    info.measured_hz = clocks_measure();
    return BOARD_UP;
}

board_info_t board_info(void)
{
    return info;
}

uint32_t uart_read(uint8_t *data, uint32_t capacity)
{
    return usart_read(USART3, data, capacity);
}

int32_t uart_write(const uint8_t *data, uint32_t size_bytes)
{
    return usart_write(USART3, data, size_bytes);
}

void board_mark(bool is_running)
{
    gpio_write(GPIOB, MARK_PIN, is_running);
}

/* Without its data cache the core neither keeps old bytes nor writes any back over new ones. */
void board_debugger_may_write(void)
{
    dcache_off();
}

void board_debugger_has_written(void)
{
    dcache_on();
}
