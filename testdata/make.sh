#!/bin/sh
# Makes testdata/speech/*.wav: synthesised call-centre talk, free to ship. Needs
# espeak-ng and sox. Each spoken line is synthesised by itself, lines are joined by
# pauses, the level is set on the spoken parts alone, and a quiet noise floor is laid
# underneath so that a pause is never digital silence.
#
#   testdata/make.sh            # from anywhere
set -eu
cd "$(dirname "$0")"
mkdir -p speech
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

level=-22   # dB RMS over the spoken parts, close to the active speech level
floor=-78   # dBov RMS of the noise underneath

# rms FILE: its RMS level in dB
rms() { sox "$1" -n stats 2>&1 | awk '/^RMS lev dB/ { print $4 }'; }

# voice NAME RATE SECONDS ESPEAK-VOICE PITCH WORDS-PER-MINUTE; the lines come on
# standard input as "pause-before-in-seconds|text".
voice() {
	name=$1 rate=$2 seconds=$3 voice=$4 pitch=$5 speed=$6
	list='' joined='' i=0
	while IFS='|' read -r pause text; do
		i=$((i + 1))
		espeak-ng -v "$voice" -p "$pitch" -s "$speed" -a 60 -w "$work/raw.wav" "$text"
		# Cut espeak's own silence away, keep soft onsets; the all-passes spread its
		# phase-aligned pulses to the peak factor of a real voice.
		sox -D "$work/raw.wav" -r "$rate" -c 1 -b 32 "$work/$name-$i.wav" \
			silence 1 0.005 0.05% reverse silence 1 0.005 0.05% reverse \
			highpass 60 allpass 350 0.8q allpass 900 0.8q allpass 2200 0.8q
		sox -D -n -r "$rate" -c 1 -b 32 "$work/$name-pause-$i.wav" trim 0 "$pause"
		joined="$joined $work/$name-$i.wav"
		list="$list $work/$name-pause-$i.wav $work/$name-$i.wav"
	done
	# shellcheck disable=SC2086 # the lists are words on purpose
	sox -D $joined "$work/$name-spoken.wav"
	gain=$(rms "$work/$name-spoken.wav" | awk -v want="$level" '{ print want - $1 }')
	# shellcheck disable=SC2086
	sox -D $list "$work/$name-all.wav"
	if awk -v n="$(soxi -D "$work/$name-all.wav")" -v max="$seconds" 'BEGIN { exit n < max }'; then
		echo "$name: the talk lasts $(soxi -D "$work/$name-all.wav") s, more than $seconds s" >&2
		exit 1
	fi
	sox -V1 -D "$work/$name-all.wav" "$work/$name-talk.wav" gain "$gain" pad 0 5 trim 0 "$seconds"
	sox -R -D -n -r "$rate" -c 1 -b 32 "$work/$name-white.wav" synth "$seconds" whitenoise
	gain=$(rms "$work/$name-white.wav" | awk -v want="$floor" '{ print want - $1 }')
	sox -D "$work/$name-white.wav" "$work/$name-floor.wav" gain "$gain"
	sox -R -D -m -v 1 "$work/$name-talk.wav" -v 1 "$work/$name-floor.wav" \
		-r "$rate" -c 1 -b 16 -e signed-integer "speech/$name.wav"
}

voice agent-1 16000 21.5 en-gb-x-rp+f3 55 188 <<'END'
0.5|Good morning, Harbour Electric, my name is Anna.
0.8|How can I help you today?
1.6|I am sorry to hear that your power went off in the night.
0.7|May I take the first line of your address?
1.3|Thank you. An engineer is already working in your street.
0.8|It should be back before half past eleven.
1.1|You are very welcome.
END

voice agent-2 16000 21.5 en-us 40 180 <<'END'
0.6|Customer service, this is Ben. What can I do for you?
1.4|I understand. The invoice from March shows two payments.
0.7|Let me open that for you.
1.5|Yes, here it is. We charged it twice.
0.7|I will pay it back to your card.
1.0|It takes about three working days.
0.8|Have a good weekend.
END

voice agent-3 16000 21.5 en-gb-scotland+f2 50 185 <<'END'
0.4|Hello, this is the booking desk. Clara here.
1.2|Of course. Which day would you like to travel?
1.5|On the ninth of October there are seats at seven and at noon.
0.8|The early train would be thirty two pounds.
1.3|That is no trouble. I moved you to the quiet coach.
0.9|Could you spell the surname for me, please?
END

voice caller-1 8000 25 en-gb+m7 46 175 <<'END'
0.3|Hello. Yes, I hope that you can help me.
1.5|I have been trying to call since yesterday.
0.9|The box in the hallway keeps beeping, and I cannot sleep.
1.5|No, I only switched it off and on again.
1.1|My number is five five two, eight one nine.
1.4|Right. And how long will that take?
1.1|That would be wonderful. Thanks.
END
