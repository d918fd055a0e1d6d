#!/bin/sh
# Makes the English snippets of spoken positions with espeak-ng and sox; on the same versions
# (espeak-ng 1.51, sox 14.4.2) it gives the same bytes. Run it here.
set -eu
say() { # FILE WORDS
	espeak-ng -v en-gb-x-rp -s 150 -p 45 --stdout "$2" |
		sox -t wav - -r 16000 -c 1 -b 8 -e mu-law -t wav -D "$1.wav" \
			silence 1 0.005 0.3% reverse silence 1 0.005 0.3% reverse \
			gain -6 highpass 120 lowpass 7000 norm -6 pad 0.02 0.06
}
n=0
for w in zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen \
	fifteen sixteen seventeen eighteen nineteen; do
	[ $n -eq 0 ] || say $n "$w"
	n=$((n + 1))
done
n=20
for w in twenty thirty forty fifty sixty seventy eighty ninety; do
	say $n "$w"
	n=$((n + 10))
done
say position "You are number"
say queue "in the queue."
say next "You are next."
say many "There are more than ninety nine callers before you."
