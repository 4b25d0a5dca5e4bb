/*
 * Flash algorithm of the simulated desk: erases and programs memory that stands for flash.
 * The functions and the FlashDevice description are those of a CMSIS-Pack flash algorithm.
 * Programming clears bits and never sets one, so that a sector must be erased first, as in flash.
 * Source: CMSIS-Pack documentation, "Flash Programming": Algorithm Functions, FlashDev.c.
 */
#include <stdint.h>

#define SECTOR_BYTES 0x8000u
#define PAGE_BYTES 0x1000u
#define ERASED 0xFFFFFFFFu
#define SECTORS_END 0xFFFFFFFFu

enum { DEVICE_VERSION = 0x0101, ON_CHIP = 1, NAME_BYTES = 128, MOST_SECTOR_KINDS = 2 };

typedef struct {
    uint32_t size_bytes;
    uint32_t offset;
} flash_sectors_t;

typedef struct {
    uint16_t version;
    char name[NAME_BYTES];
    uint16_t type;
    uint32_t origin;
    uint32_t size_bytes;
    uint32_t page_bytes;
    uint32_t reserved;
    uint8_t erased_byte;
    uint32_t program_timeout_ms;
    uint32_t erase_timeout_ms;
    flash_sectors_t sectors[MOST_SECTOR_KINDS];
} flash_device_t;

int32_t Init(uint32_t address, uint32_t clock_hz, uint32_t operation);
int32_t UnInit(uint32_t operation);
int32_t EraseChip(void);
int32_t EraseSector(uint32_t address);
int32_t ProgramPage(uint32_t address, uint32_t size_bytes, const uint32_t *data);

__attribute__((section("DevDscr"), used)) const flash_device_t FlashDevice = {
    .version = DEVICE_VERSION,
    .name = "Simulated flash",
    .type = ON_CHIP,
    .origin = FLASH_ORIGIN,
    .size_bytes = FLASH_SIZE_BYTES,
    .page_bytes = PAGE_BYTES,
    .erased_byte = 0xFF,
    .program_timeout_ms = 1000,
    .erase_timeout_ms = 6000,
    .sectors = {{SECTOR_BYTES, 0}, {SECTORS_END, SECTORS_END}},
};

static void erase(uint32_t address, uint32_t size_bytes)
{
    volatile uint32_t *word = (volatile uint32_t *)address;

    for (uint32_t left = size_bytes / 4u; left != 0u; left--) {
        *word++ = ERASED;
    }
}

int32_t Init(uint32_t address, uint32_t clock_hz, uint32_t operation)
{
    (void)address;
    (void)clock_hz;
    (void)operation;
    return 0;
}

int32_t UnInit(uint32_t operation)
{
    (void)operation;
    return 0;
}

int32_t EraseChip(void)
{
    erase(FLASH_ORIGIN, FLASH_SIZE_BYTES);
    return 0;
}

int32_t EraseSector(uint32_t address)
{
    erase(address & ~(SECTOR_BYTES - 1u), SECTOR_BYTES);
    return 0;
}

int32_t ProgramPage(uint32_t address, uint32_t size_bytes, const uint32_t *data)
{
    volatile uint32_t *word = (volatile uint32_t *)address;

    for (uint32_t left = (size_bytes + 3u) / 4u; left != 0u; left--) {
        *word++ &= *data++;
    }
    return 0;
}
