package plot

import (
	"image/color"

	"github.com/headroom-voice/headroom/dsp/headset"
)

func rgb(hex uint32) color.NRGBA {
	return color.NRGBA{R: uint8(hex >> 16), G: uint8(hex >> 8), B: uint8(hex), A: 255}
}

// clear of a colour, 0 to 255.
func veil(c color.NRGBA, alpha uint8) color.NRGBA {
	c.A = alpha
	return c
}

// What things are drawn in. They differ in lightness too, for who sees no colours.
func inkOf(what string) color.NRGBA {
	switch what {
	case "text":
		return rgb(0x1f2933)
	case "faint":
		return rgb(0x6b7785)
	case "grid":
		return rgb(0xdfe4ea)
	case "near", "level":
		return rgb(0x5b7fa6)
	case "far":
		return rgb(0x9aa5b1)
	case "active":
		return rgb(0x1d3557)
	case "floor":
		return rgb(0xd97706)
	case "speech", "good":
		return rgb(0x2f9e60)
	case "watch":
		return rgb(0xc98a00)
	case "bad":
		return rgb(0xc92a2a)
	}
	return rgb(0x000000)
}

// markInk is what a kind of fault is marked in.
func markInk(k headset.Kind) color.NRGBA {
	switch k {
	case headset.Clipping:
		return rgb(0xd6336c)
	case headset.Dropout:
		return rgb(0x7048e8)
	case headset.Crackle:
		return rgb(0xe8590c)
	case headset.Hum, headset.Buzz:
		return rgb(0x9c6b00)
	case headset.Echo:
		return rgb(0x0b7285)
	case headset.Dead:
		return rgb(0x212529)
	}
	return rgb(0xc92a2a)
}

// heat is the colour of a strength from 0 to 1: from black over violet and orange to
// nearly white, ever lighter, so that it can be read in print without colour.
func heat(x float64) color.RGBA {
	stops := []struct{ at, r, g, b float64 }{
		{0, 6, 6, 18}, {0.22, 44, 20, 84}, {0.45, 132, 34, 110}, {0.68, 224, 86, 58}, {0.87, 250, 184, 74}, {1, 254, 250, 214},
	}
	x = max(0, min(1, x))
	i := 1
	for i < len(stops)-1 && x > stops[i].at {
		i++
	}
	a, b := stops[i-1], stops[i]
	t := (x - a.at) / (b.at - a.at)
	mix := func(p, q float64) uint8 { return uint8(p + t*(q-p) + 0.5) }
	return color.RGBA{R: mix(a.r, b.r), G: mix(a.g, b.g), B: mix(a.b, b.b), A: 255}
}
