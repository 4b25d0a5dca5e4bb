/*
 * nRF52840 on its DK: console on UART0 (P0.06, P0.08: the debugger's virtual COM port), the pin
 * that tells of inferences is P0.13, which is also LED1, lit when low. Source: Nordic nRF52840 DK
 * hardware guide, "Virtual COM port" and "Buttons and LEDs"; the chip's Product Specification as
 * cited in nrf52.h.
 *
 * The core always runs at 64 MHz, from an RC oscillator until the crystal has started. The second
 * opinion on that is the RTC on the low-frequency crystal.
 */
#include "board.h"

#include <string.h>

#include "common/cycles.h"
#include "common/poll.h"
#include "divide.h"
#include "nrf52/nrf52.h"

enum {
    TX_PIN = 6,
    RX_PIN = 8,
    MARK_PIN = 13,
    CORE_HZ = 64000000,
    LFCLK_HZ = 32768,
    REFERENCE_TICKS = 64, /* 2 ms */
    REFERENCE_POLLS_MAX = 2000,
    UART_POLLS_MAX = 1000000,
};

static board_info_t info;

static void console_start(void)
{
    GPIO_P0_OUTSET = 1u << TX_PIN | 1u << MARK_PIN;
    GPIO_P0_DIRSET = 1u << TX_PIN | 1u << MARK_PIN;
    UART_PSEL_TXD = TX_PIN;
    UART_PSEL_RXD = RX_PIN;
    UART_BAUDRATE = UART_BAUDRATE_921600;
    UART_ENABLE = UART_ENABLE_ENABLED;
    UART_TASKS_STARTTX = 1;
    UART_TASKS_STARTRX = 1;
}

/*
 * From build code F on (revision 3) the chip closes its debug port at every hard reset, and only
 * firmware opens it again, where UICR lets it: HwDisabled there and SwDisable here are the same
 * 0x5A, so the word is copied, and a chip that its owner has closed stays closed. On earlier ones
 * UICR alone decides, and the register is not there. Source: nRF52840 Product Specification v1.7,
 * "Access port protection controlled by hardware and software"; Nordic IN-141 v1.1.
 */
static void open_debug_port(void)
{
    const uint32_t build_letter = FICR_INFO_VARIANT >> 8 & 0xFFu; /* of "AAF0" the F */
    if (build_letter >= 'F') {
        APPROTECT_DISABLE = UICR_APPROTECT;
    }
}

static reset_reason_t reset_reason(void)
{
    const uint32_t reasons = POWER_RESETREAS;
    POWER_RESETREAS = reasons; /* ones clear */
    if ((reasons & POWER_RESETREAS_DOG) != 0u) {
        return RESET_WATCHDOG;
    }
    if ((reasons & POWER_RESETREAS_LOCKUP) != 0u) {
        return RESET_LOCKUP;
    }
    if ((reasons & POWER_RESETREAS_SREQ) != 0u) {
        return RESET_SOFTWARE;
    }
    if ((reasons & POWER_RESETREAS_OFF) != 0u) {
        return RESET_LOW_POWER;
    }
    return (reasons & POWER_RESETREAS_RESETPIN) != 0u ? RESET_PIN : RESET_POWER;
}

/* Waits until the reference has moved on from `from`. Whether it did. */
static bool reference_moves(uint32_t from)
{
    for (uint32_t polls = 0; polls < REFERENCE_POLLS_MAX; polls++) {
        if (RTC0_COUNTER != from) {
            return true;
        }
    }
    return false;
}

/* The core's frequency, counted against the low-frequency clock; 0 when that could not be. */
static uint32_t measure(void)
{
    RTC0_PRESCALER = 0;
    RTC0_TASKS_START = 1;
    cycles_start_fine();
    uint32_t ticks = 0, cycles = 0;
    if (reference_moves(RTC0_COUNTER)) {
        const uint32_t first = RTC0_COUNTER, begin = DWT_CYCCNT;
        while (ticks < REFERENCE_TICKS && reference_moves(first + ticks)) {
            ticks = RTC0_COUNTER - first;
        }
        cycles = DWT_CYCCNT - begin;
    }
    RTC0_TASKS_STOP = 1;
    return ticks < REFERENCE_TICKS ? 0 : (uint32_t)divide((uint64_t)cycles * LFCLK_HZ, ticks);
}

board_fault_t board_init(void)
{
    open_debug_port();
    console_start();
    info.reset_reason = (uint8_t)reset_reason();
    const uint32_t id[] = {FICR_DEVICEID0, FICR_DEVICEID1};
    memcpy(info.chip_id, id, sizeof id);
    info.core_hz = CORE_HZ;
    CLOCK_EVENTS_HFCLKSTARTED = 0;
    CLOCK_TASKS_HFCLKSTART = 1;
    if (!reads_soon(&CLOCK_EVENTS_HFCLKSTARTED, 1, 1)) {
        return BOARD_OSCILLATOR_DEAD;
    }
    NVMC_ICACHECNF = NVMC_ICACHECNF_CACHEEN;
    info.flags = BOARD_ICACHE | BOARD_CRYSTAL;
    /* The crystal of the low-frequency clock may take a quarter of a second, and is no condition.
     */
    CLOCK_LFCLKSRC = CLOCK_LFCLKSRC_XTAL;
    CLOCK_EVENTS_LFCLKSTARTED = 0;
    CLOCK_TASKS_LFCLKSTART = 1;
    if (reads_soon_within(&CLOCK_EVENTS_LFCLKSTARTED, 1, 1, 10u * POLLS_MAX)) {
        info.measured_hz = measure();
    }
    return BOARD_UP;
}

board_info_t board_info(void)
{
    return info;
}

uint32_t uart_read(uint8_t *data, uint32_t capacity)
{
    uint32_t count = 0;
    while (count < capacity && UART_EVENTS_RXDRDY != 0u) {
        UART_EVENTS_RXDRDY = 0;
        data[count++] = (uint8_t)UART_RXD;
    }
    return count;
}

int32_t uart_write(const uint8_t *data, uint32_t size_bytes)
{
    for (uint32_t i = 0; i < size_bytes; i++) {
        uint32_t polls = 0;
        UART_EVENTS_TXDRDY = 0;
        UART_TXD = data[i];
        while (UART_EVENTS_TXDRDY == 0u) {
            if (++polls == UART_POLLS_MAX) {
                return -1;
            }
        }
    }
    return 0;
}

void board_mark(bool is_running)
{
    if (is_running) {
        GPIO_P0_OUTCLR = 1u << MARK_PIN;
    } else {
        GPIO_P0_OUTSET = 1u << MARK_PIN;
    }
}
