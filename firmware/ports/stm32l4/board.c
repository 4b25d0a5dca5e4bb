/*
 * STM32L4R5 on a Nucleo-144: console on LPUART1 (PG7, PG8: the ST-LINK's virtual COM port), the pin
 * that tells of inferences is PB7, which is also the blue LED.
 * Source: ST UM2179, 6.5 (LEDs) and 6.8 (LPUART1 communication); DS12023, table 16 (alternate
 * functions); RM0432, 5.1.4 (port G on VDDIO2), 43.5.4 (divider of LPUART), 57.1 (unique device
 * ID).
 *
 * The caches of this chip are those of its flash interface, which only hold what flash holds.
 */
#include "board.h"

#include "clocks.h"
#include "rcc.h"
#include "stm32/gpio.h"
#include "stm32/unique_id.h"
#include "stm32/usart.h"

#define GPIOB ((GPIO_TypeDef *)0x48000400u)
#define GPIOG ((GPIO_TypeDef *)0x48001800u)
#define LPUART1 ((USART_TypeDef *)0x40008000u)
#define UNIQUE_ID ((const volatile uint32_t *)0x1FFF7590u)

enum { TX_PIN = 7, RX_PIN = 8, MARK_PIN = 7, LPUART1_FUNCTION = 8, BAUD = 921600 };

static board_info_t info;

static void console_start(void)
{
    RCC_APB1ENR1 |= RCC_APB1ENR1_PWR;
    RCC_AHB2ENR |= RCC_AHB2ENR_GPIOB | RCC_AHB2ENR_GPIOG;
    PWR_CR2 |= PWR_CR2_IOSV;
    RCC_APB1ENR2 |= RCC_APB1ENR2_LPUART1;
    RCC_CCIPR |= RCC_CCIPR_LPUART1_HSI;
    gpio_alternate(GPIOG, TX_PIN, LPUART1_FUNCTION);
    gpio_alternate(GPIOG, RX_PIN, LPUART1_FUNCTION);
    gpio_output(GPIOB, MARK_PIN);
    usart_init_divided(LPUART1, lpuart_brr(HSI_HZ, BAUD), 0);
}

/* Several may be set: what comes first here explains the others. */
static reset_reason_t reset_reason(void)
{
    const uint32_t csr = RCC_CSR;
    RCC_CSR = csr | RCC_CSR_RMVF;
    if ((csr & RCC_CSR_BORRST) != 0u) {
        return RESET_POWER;
    }
    if ((csr & (RCC_CSR_IWDGRST | RCC_CSR_WWDGRST)) != 0u) {
        return RESET_WATCHDOG;
    }
    if ((csr & RCC_CSR_SFTRST) != 0u) {
        return RESET_SOFTWARE;
    }
    if ((csr & RCC_CSR_LPWRRST) != 0u) {
        return RESET_LOW_POWER;
    }
    return (csr & RCC_CSR_PINRST) != 0u ? RESET_PIN : RESET_UNKNOWN;
}

board_fault_t board_init(void)
{
    const board_fault_t no_hsi = clocks_start_hsi();
    console_start();
    info.reset_reason = (uint8_t)reset_reason();
    unique_id_read(UNIQUE_ID, info.chip_id);
    const board_fault_t fault = no_hsi != BOARD_UP ? no_hsi : clocks_start();
    if (fault != BOARD_UP) {
        info.core_hz = MSI_HZ;
        return fault;
    }
    info.core_hz = CORE_HZ;
    info.wait_states = FLASH_WAIT_STATES;
    info.flags = BOARD_ICACHE | BOARD_FLASH_PREFETCH | BOARD_FLASH_ACCELERATOR | BOARD_OVERDRIVE;
    info.measured_hz = clocks_measure();
    return BOARD_UP;
}

board_info_t board_info(void)
{
    return info;
}

uint32_t uart_read(uint8_t *data, uint32_t capacity)
{
    return usart_read(LPUART1, data, capacity);
}

int32_t uart_write(const uint8_t *data, uint32_t size_bytes)
{
    return usart_write(LPUART1, data, size_bytes);
}

void board_mark(bool is_running)
{
    gpio_write(GPIOB, MARK_PIN, is_running);
}
