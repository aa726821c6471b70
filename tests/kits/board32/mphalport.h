// port.c has no pins and no console
#define mp_hal_pin_obj_t int
static inline void mp_hal_set_interrupt_char(int c) {
    (void)c;
}
