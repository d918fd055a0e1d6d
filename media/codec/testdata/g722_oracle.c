/* Somebody else's G.722, for comparison: spandsp's, 64 kbit/s.
 *   g722_oracle encode < 16-bit little-endian samples at 16 kHz > octets
 *   g722_oracle decode < octets > samples
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <spandsp.h>

enum { BLOCK = 160 };

int main(int argc, char **argv) {
    int16_t pcm[2 * BLOCK];
    uint8_t code[BLOCK];
    size_t n;
    if (argc == 2 && strcmp(argv[1], "encode") == 0) {
        g722_encode_state_t *s = g722_encode_init(NULL, 64000, 0);
        while ((n = fread(pcm, 2, 2 * BLOCK, stdin)) > 0)
            fwrite(code, 1, g722_encode(s, code, pcm, n), stdout);
        return 0;
    }
    if (argc == 2 && strcmp(argv[1], "decode") == 0) {
        g722_decode_state_t *s = g722_decode_init(NULL, 64000, 0);
        while ((n = fread(code, 1, BLOCK, stdin)) > 0)
            fwrite(pcm, 2, g722_decode(s, pcm, code, n), stdout);
        return 0;
    }
    fprintf(stderr, "usage: g722_oracle encode|decode\n");
    return 2;
}
