// A MicroPython port that is a board as far as the heap can tell: 32-bit words, one heap of a fixed size,
// modules frozen in read-only memory. Usage: board32 HEAP_KIB ARGUMENT...
// It imports the frozen module `device` and calls its main([ARGUMENT...]); the result is the exit code.
// The modules hashlib, binascii, os and edge are as much of them as protocol/ and small_device.py use.

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "py/builtin.h"
#include "py/gc.h"
#include "py/lexer.h"
#include "py/mperrno.h"
#include "py/runtime.h"
#include "py/stackctrl.h"
#include "shared/runtime/gchelper.h"

// hashlib.sha256: FIPS 180-4; as in MicroPython's own, an object holds its state and one block, and ends with digest()

typedef struct {
    mp_obj_base_t base;
    bool final;
    uint32_t state[8];
    uint64_t length;
    uint8_t block[64];
} sha256_t;

static const uint32_t K[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t turn(uint32_t x, int n) {
    return x >> n | x << (32 - n);
}

static void sha256_block(sha256_t *self, const uint8_t *p) {
    uint32_t w[64], s[8];
    for (int i = 0; i < 16; i++, p += 4) {
        w[i] = (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
    }
    for (int i = 16; i < 64; i++) {
        uint32_t a = w[i - 15], b = w[i - 2];
        w[i] = w[i - 16] + (turn(a, 7) ^ turn(a, 18) ^ a >> 3) + w[i - 7] + (turn(b, 17) ^ turn(b, 19) ^ b >> 10);
    }
    memcpy(s, self->state, sizeof s);
    for (int i = 0; i < 64; i++) {
        uint32_t e = s[4], a = s[0];
        uint32_t one = s[7] + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & s[5]) ^ (~e & s[6])) + K[i] + w[i];
        uint32_t two = (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]));
        memmove(s + 1, s, 7 * sizeof s[0]);
        s[4] += one;
        s[0] = one + two;
    }
    for (int i = 0; i < 8; i++) {
        self->state[i] += s[i];
    }
}

static mp_obj_t sha256_update(mp_obj_t self_in, mp_obj_t data) {
    sha256_t *self = MP_OBJ_TO_PTR(self_in);
    mp_buffer_info_t info;
    mp_get_buffer_raise(data, &info, MP_BUFFER_READ);
    if (self->final) {
        mp_raise_ValueError(MP_ERROR_TEXT("hash is final"));
    }
    const uint8_t *p = info.buf;
    for (size_t left = info.len; left;) {
        size_t at = self->length & 63, take = MIN(64 - at, left);
        memcpy(self->block + at, p, take);
        self->length += take;
        p += take;
        left -= take;
        if (at + take == 64) {
            sha256_block(self, self->block);
        }
    }
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_2(sha256_update_obj, sha256_update);

static mp_obj_t sha256_digest(mp_obj_t self_in) {
    sha256_t *self = MP_OBJ_TO_PTR(self_in);
    if (self->final) {
        mp_raise_ValueError(MP_ERROR_TEXT("hash is final"));
    }
    self->final = true;
    size_t at = self->length & 63;
    self->block[at++] = 0x80;
    if (at > 56) {
        memset(self->block + at, 0, 64 - at);
        sha256_block(self, self->block);
        at = 0;
    }
    memset(self->block + at, 0, 56 - at);
    for (int i = 0; i < 8; i++) {
        self->block[56 + i] = self->length * 8 >> (56 - 8 * i);
    }
    sha256_block(self, self->block);
    byte out[32];
    for (int i = 0; i < 32; i++) {
        out[i] = self->state[i / 4] >> (24 - 8 * (i % 4));
    }
    return mp_obj_new_bytes(out, 32);
}
static MP_DEFINE_CONST_FUN_OBJ_1(sha256_digest_obj, sha256_digest);

static mp_obj_t sha256_make(const mp_obj_type_t *type, size_t n_args, size_t n_kw, const mp_obj_t *args) {
    static const uint32_t start[8] = {
        0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
    };
    mp_arg_check_num(n_args, n_kw, 0, 1, false);
    sha256_t *self = mp_obj_malloc(sha256_t, type);
    self->final = false;
    self->length = 0;
    memcpy(self->state, start, sizeof start);
    if (n_args) {
        sha256_update(MP_OBJ_FROM_PTR(self), args[0]);
    }
    return MP_OBJ_FROM_PTR(self);
}

static const mp_rom_map_elem_t sha256_table[] = {
    { MP_ROM_QSTR(MP_QSTR_update), MP_ROM_PTR(&sha256_update_obj) },
    { MP_ROM_QSTR(MP_QSTR_digest), MP_ROM_PTR(&sha256_digest_obj) },
};
static MP_DEFINE_CONST_DICT(sha256_dict, sha256_table);
static MP_DEFINE_CONST_OBJ_TYPE(
    sha256_type, MP_QSTR_sha256, MP_TYPE_FLAG_NONE, make_new, sha256_make, locals_dict, &sha256_dict);

static const mp_rom_map_elem_t hashlib_table[] = {
    { MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR_hashlib) },
    { MP_ROM_QSTR(MP_QSTR_sha256), MP_ROM_PTR(&sha256_type) },
};
static MP_DEFINE_CONST_DICT(hashlib_dict, hashlib_table);
const mp_obj_module_t hashlib_module = { .base = { &mp_type_module }, .globals = (mp_obj_dict_t *)&hashlib_dict };
MP_REGISTER_MODULE(MP_QSTR_hashlib, hashlib_module);

// binascii

static mp_obj_t crc32(size_t n_args, const mp_obj_t *args) {
    mp_buffer_info_t info;
    mp_get_buffer_raise(args[0], &info, MP_BUFFER_READ);
    uint32_t crc = ~(n_args > 1 ? (uint32_t)mp_obj_get_int_truncated(args[1]) : 0);
    for (size_t i = 0; i < info.len; i++) {
        crc ^= ((const uint8_t *)info.buf)[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320 : 0);
        }
    }
    return mp_obj_new_int_from_uint(~crc);
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(crc32_obj, 1, 2, crc32);

static const mp_rom_map_elem_t binascii_table[] = {
    { MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR_binascii) },
    { MP_ROM_QSTR(MP_QSTR_crc32), MP_ROM_PTR(&crc32_obj) },
};
static MP_DEFINE_CONST_DICT(binascii_dict, binascii_table);
const mp_obj_module_t binascii_module = { .base = { &mp_type_module }, .globals = (mp_obj_dict_t *)&binascii_dict };
MP_REGISTER_MODULE(MP_QSTR_binascii, binascii_module);

// os

static mp_obj_t os_urandom(mp_obj_t count) {
    vstr_t out;
    vstr_init_len(&out, mp_obj_get_int(count));
    if (getrandom(out.buf, out.len, 0) != (ssize_t)out.len) {
        mp_raise_OSError(errno);
    }
    return mp_obj_new_bytes_from_vstr(&out);
}
static MP_DEFINE_CONST_FUN_OBJ_1(os_urandom_obj, os_urandom);

static const mp_rom_map_elem_t os_table[] = {
    { MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR_os) },
    { MP_ROM_QSTR(MP_QSTR_urandom), MP_ROM_PTR(&os_urandom_obj) },
};
static MP_DEFINE_CONST_DICT(os_dict, os_table);
const mp_obj_module_t os_module = { .base = { &mp_type_module }, .globals = (mp_obj_dict_t *)&os_dict };
MP_REGISTER_MODULE(MP_QSTR_os, os_module);

// edge: the wire, the file and the clock of tests/kits/edge.py

static mp_obj_t edge_now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return MP_OBJ_NEW_SMALL_INT((time.tv_sec * 1000LL + time.tv_nsec / 1000000) & 0x1FFFFFFF);
}
static MP_DEFINE_CONST_FUN_OBJ_0(edge_now_obj, edge_now);

static mp_obj_t edge_read(mp_obj_t fd, mp_obj_t count, mp_obj_t wait_ms) {
    struct pollfd wire = { mp_obj_get_int(fd), POLLIN, 0 };
    if (poll(&wire, 1, mp_obj_get_int(wait_ms)) <= 0) {
        return mp_const_empty_bytes;
    }
    vstr_t out;
    vstr_init_len(&out, mp_obj_get_int(count));
    ssize_t got = read(wire.fd, out.buf, out.len);
    if (got < 0 && errno != EAGAIN) {
        mp_raise_OSError(errno);
    }
    out.len = got < 0 ? 0 : got;
    return mp_obj_new_bytes_from_vstr(&out);
}
static MP_DEFINE_CONST_FUN_OBJ_3(edge_read_obj, edge_read);

static mp_obj_t edge_write(mp_obj_t fd_in, mp_obj_t data) {
    mp_buffer_info_t info;
    mp_get_buffer_raise(data, &info, MP_BUFFER_READ);
    struct pollfd wire = { mp_obj_get_int(fd_in), POLLOUT, 0 };
    for (size_t at = 0; at < info.len;) {
        ssize_t sent = write(wire.fd, (const char *)info.buf + at, info.len - at);
        if (sent > 0) {
            at += sent;
        } else if (errno == EAGAIN) {
            poll(&wire, 1, 1000);
        } else {
            mp_raise_OSError(errno);
        }
    }
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_2(edge_write_obj, edge_write);

static mp_obj_t edge_put(mp_obj_t fd, mp_obj_t offset, mp_obj_t data) {
    mp_buffer_info_t info;
    mp_get_buffer_raise(data, &info, MP_BUFFER_READ);
    if (pwrite(mp_obj_get_int(fd), info.buf, info.len, mp_obj_get_int(offset)) != (ssize_t)info.len) {
        mp_raise_OSError(errno);
    }
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_3(edge_put_obj, edge_put);

static mp_obj_t edge_get(mp_obj_t fd, mp_obj_t offset, mp_obj_t count) {
    vstr_t out;
    vstr_init_len(&out, mp_obj_get_int(count));
    ssize_t got = pread(mp_obj_get_int(fd), out.buf, out.len, mp_obj_get_int(offset));
    if (got < 0) {
        mp_raise_OSError(errno);
    }
    out.len = got;
    return mp_obj_new_bytes_from_vstr(&out);
}
static MP_DEFINE_CONST_FUN_OBJ_3(edge_get_obj, edge_get);

static const mp_rom_map_elem_t edge_table[] = {
    { MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR_edge) },
    { MP_ROM_QSTR(MP_QSTR_now), MP_ROM_PTR(&edge_now_obj) },
    { MP_ROM_QSTR(MP_QSTR_read), MP_ROM_PTR(&edge_read_obj) },
    { MP_ROM_QSTR(MP_QSTR_write), MP_ROM_PTR(&edge_write_obj) },
    { MP_ROM_QSTR(MP_QSTR_put), MP_ROM_PTR(&edge_put_obj) },
    { MP_ROM_QSTR(MP_QSTR_get), MP_ROM_PTR(&edge_get_obj) },
};
static MP_DEFINE_CONST_DICT(edge_dict, edge_table);
const mp_obj_module_t edge_module = { .base = { &mp_type_module }, .globals = (mp_obj_dict_t *)&edge_dict };
MP_REGISTER_MODULE(MP_QSTR_edge, edge_module);

// the port

void mp_hal_stdout_tx_strn_cooked(const char *text, size_t length) {
    while (length) {
        ssize_t sent = write(1, text, length);
        if (sent <= 0) {
            return;
        }
        text += sent;
        length -= sent;
    }
}

void gc_collect(void) {
    gc_collect_start();
    gc_helper_collect_regs_and_stack();
    gc_collect_end();
}

void nlr_jump_fail(void *value) {
    (void)value;
    abort();
}

mp_import_stat_t mp_import_stat(const char *path) {
    (void)path;
    return MP_IMPORT_STAT_NO_EXIST;
}

mp_lexer_t *mp_lexer_new_from_file(qstr name) {
    (void)name;
    mp_raise_OSError(MP_ENOENT);
}

int main(int argc, char **argv) {
    if (argc < 2) {
        return 2;
    }
    size_t heap_bytes = (size_t)atoi(argv[1]) * 1024;
    char *heap = malloc(heap_bytes);
    mp_stack_ctrl_init();
    mp_stack_set_limit(64 * 1024);
    gc_init(heap, heap + heap_bytes);
    mp_init();
    nlr_buf_t nlr;
    int code = 1;
    if (nlr_push(&nlr) == 0) {
        mp_obj_t arguments = mp_obj_new_list(0, NULL);
        for (int i = 2; i < argc; i++) {
            mp_obj_list_append(arguments, mp_obj_new_str(argv[i], strlen(argv[i])));
        }
        mp_obj_t device = mp_import_name(MP_QSTR_device, mp_const_none, MP_OBJ_NEW_SMALL_INT(0));
        code = mp_obj_get_int(mp_call_function_1(mp_load_attr(device, MP_QSTR_main), arguments));
        nlr_pop();
    } else {
        mp_obj_print_exception(&mp_plat_print, MP_OBJ_FROM_PTR(nlr.ret_val));
    }
    return code;
}
