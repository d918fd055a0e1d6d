/* Somebody else's concealment after G.711 Appendix I, for comparison: spandsp's.
 * Frames of one octet, 1 for a lost one, and 160 little-endian 16-bit samples at 8 kHz come
 * in; those samples, or what takes their place, go out.
 */
#include <stdint.h>
#include <stdio.h>
#include <spandsp.h>

enum { FRAME = 160 };

int main(void) {
    int16_t pcm[FRAME];
    uint8_t lost;
    plc_state_t *s = plc_init(NULL);
    while (fread(&lost, 1, 1, stdin) == 1 && fread(pcm, 2, FRAME, stdin) == FRAME) {
        if (lost)
            plc_fillin(s, pcm, FRAME);
        else
            plc_rx(s, pcm, FRAME);
        fwrite(pcm, 2, FRAME, stdout);
    }
    return 0;
}
