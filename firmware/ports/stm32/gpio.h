/*
 * General-purpose pins, alike in all STM32 but the F1.
 * Source: ST RM0385, section 6.4 (GPIO registers).
 */
#ifndef BENCH_STM32_GPIO_H
#define BENCH_STM32_GPIO_H

#include <stdint.h>

typedef struct {
    volatile uint32_t MODER;
    volatile uint32_t OTYPER;
    volatile uint32_t OSPEEDR;
    volatile uint32_t PUPDR;
    volatile uint32_t IDR;
    volatile uint32_t ODR;
    volatile uint32_t BSRR;
    volatile uint32_t LCKR;
    volatile uint32_t AFR[2];
} GPIO_TypeDef;

enum { GPIO_OUTPUT = 1, GPIO_ALTERNATE = 2, GPIO_SPEED_VERY_HIGH = 3, GPIO_PULL_UP = 1 };

static inline void gpio_set_field(volatile uint32_t *reg, uint32_t width, uint32_t pin,
                                  uint32_t value)
{
    const uint32_t mask = ((1u << width) - 1u) << (pin * width);
    *reg = (*reg & ~mask) | value << (pin * width);
}

/* Gives a pin to a peripheral; its input is held up while nobody drives it. */
static inline void gpio_alternate(GPIO_TypeDef *port, uint32_t pin, uint32_t function)
{
    gpio_set_field(&port->AFR[pin / 8u], 4, pin % 8u, function);
    gpio_set_field(&port->OSPEEDR, 2, pin, GPIO_SPEED_VERY_HIGH);
    gpio_set_field(&port->PUPDR, 2, pin, GPIO_PULL_UP);
    gpio_set_field(&port->MODER, 2, pin, GPIO_ALTERNATE);
}

static inline void gpio_output(GPIO_TypeDef *port, uint32_t pin)
{
    port->BSRR = 1u << (pin + 16u);
    gpio_set_field(&port->OSPEEDR, 2, pin, GPIO_SPEED_VERY_HIGH);
    gpio_set_field(&port->MODER, 2, pin, GPIO_OUTPUT);
}

static inline void gpio_write(GPIO_TypeDef *port, uint32_t pin, uint32_t is_high)
{
    port->BSRR = is_high != 0u ? 1u << pin : 1u << (pin + 16u);
}

#endif
