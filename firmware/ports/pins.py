"""Made by hardware/generate.py from hardware/pins.toml. Do not edit.

Pins of the bay board and of the device: where each signal is, and its safe level.
"""

from protocol.compat import const

# bay board: RP2040 on Raspberry Pi Pico
# 0 allows the device's data lines; a gate also wants a seated device, so that firmware alone cannot join them
BAY_DATA_OE_N = const(2)
BAY_VBUS_EN = const(3)  # 1 switches the current-limited 5 V to the device
BAY_VBUS_FLT_N = const(4)  # 0 while the current limit acts (open drain)
BAY_SEAT_N = const(5)  # 0 while a device presses the seat switch; an open wire reads as lifted
BAY_TAMPER = const(6)  # closed loop to ground reads 0; opened, cut or unplugged reads 1
BAY_KEY_N = const(7)  # 0 while the staff key is turned; an open wire reads as not turned
BAY_LED_DIN = const(8)  # data of the lamp at the dock
BAY_DATA_SENSE = const(9)  # reads the real enable pin of the data switch: 1 means cut

# (signal, pin, direction, safe level or None)
BAY_PINS = (
    ("DATA_OE_N", BAY_DATA_OE_N, "out", 1),
    ("VBUS_EN", BAY_VBUS_EN, "out", 0),
    ("VBUS_FLT_N", BAY_VBUS_FLT_N, "in", 1),
    ("SEAT_N", BAY_SEAT_N, "in", 1),
    ("TAMPER", BAY_TAMPER, "in", 1),
    ("KEY_N", BAY_KEY_N, "in", 1),
    ("LED_DIN", BAY_LED_DIN, "out", None),
    ("DATA_SENSE", BAY_DATA_SENSE, "in", 1),
)

# device: STM32H743 on OpenMV Cam H7 Plus
DEVICE_LCD_MOSI = "P0"  # display data; fixed by the stock firmware's display class
DEVICE_DOCK_SENSE = "P1"  # 1 while the dock gives 5 V (divided)
DEVICE_LCD_SCK = "P2"  # display clock
DEVICE_LCD_CS_N = "P3"  # display select
DEVICE_KEYS_SCL = "P4"  # keypad expander clock
DEVICE_KEYS_SDA = "P5"  # keypad expander data
DEVICE_LCD_LIGHT = "P6"  # backlight
DEVICE_LCD_RESET_N = "P7"  # display reset
DEVICE_LCD_DC = "P8"  # display data or command
DEVICE_CASE_TAMPER = "P9"  # closed loop to ground reads 0; an opened case reads 1

# (signal, pin, direction, safe level or None)
DEVICE_PINS = (
    ("LCD_MOSI", DEVICE_LCD_MOSI, "out", None),
    ("DOCK_SENSE", DEVICE_DOCK_SENSE, "in", 0),
    ("LCD_SCK", DEVICE_LCD_SCK, "out", None),
    ("LCD_CS_N", DEVICE_LCD_CS_N, "out", 1),
    ("KEYS_SCL", DEVICE_KEYS_SCL, "out", 1),
    ("KEYS_SDA", DEVICE_KEYS_SDA, "both", 1),
    ("LCD_LIGHT", DEVICE_LCD_LIGHT, "out", 0),
    ("LCD_RESET_N", DEVICE_LCD_RESET_N, "out", 0),
    ("LCD_DC", DEVICE_LCD_DC, "out", None),
    ("CASE_TAMPER", DEVICE_CASE_TAMPER, "in", 1),
)
