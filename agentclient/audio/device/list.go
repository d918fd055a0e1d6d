package device

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/gordonklaus/portaudio"

	"github.com/headroom-voice/headroom/agentclient/audio"
)

// Default stands for whatever the system's default device is.
const Default = "default"

// Info is one device as the system names it.
type Info struct {
	Index      int
	Name       string
	System     string // ALSA, CoreAudio, WASAPI …
	Inputs     int    // channels
	Outputs    int
	Rate       int // Hz, the device's own
	DefaultIn  bool
	DefaultOut bool
}

// List gives the devices that are plugged in now, by index.
func List() ([]Info, error) {
	var list []Info
	err := opened(func() error {
		devices, err := portaudio.Devices()
		if err != nil {
			return err
		}
		// A system without a default device still has a list.
		in, _ := portaudio.DefaultInputDevice()
		out, _ := portaudio.DefaultOutputDevice()
		list = make([]Info, len(devices))
		for i, d := range devices {
			list[i] = info(d)
			list[i].DefaultIn, list[i].DefaultOut = d == in, d == out
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%w: list: %w", audio.ErrDevice, err)
	}
	return list, nil
}

func info(d *portaudio.DeviceInfo) Info {
	return Info{
		Index: d.Index, Name: d.Name, System: d.HostApi.Name,
		Inputs: d.MaxInputChannels, Outputs: d.MaxOutputChannels, Rate: int(d.DefaultSampleRate),
	}
}

// Print writes the list as a table for people.
func Print(w io.Writer, list []Info) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(w, "no audio devices found")
		return err
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "INDEX\tNAME\tSYSTEM\tMIC\tEAR\tRATE")
	for _, d := range list {
		fmt.Fprintf(tw, "%d\t%s\t%s\t%s\t%s\t%d Hz\n", d.Index, d.Name, d.System, use(d.Inputs, d.DefaultIn), use(d.Outputs, d.DefaultOut), d.Rate)
	}
	return tw.Flush()
}

func use(channels int, isDefault bool) string {
	switch {
	case channels == 0:
		return "-"
	case isDefault:
		return "default"
	}
	return "yes"
}

// choose finds a device by index, exact name, or a part of the name that only one
// device with the wanted channels has. Default and "" are the first one marked so.
func choose(list []Info, name, what string, channels func(Info) int, isDefault func(Info) bool) (Info, error) {
	var able []Info
	for _, d := range list {
		if channels(d) > 0 {
			able = append(able, d)
		}
	}
	if name == "" || name == Default {
		for _, d := range able {
			if isDefault(d) {
				return d, nil
			}
		}
		return Info{}, fmt.Errorf("%w: there is no default %s; --list-devices shows what there is", audio.ErrDevice, what)
	}
	if index, err := strconv.Atoi(name); err == nil {
		for _, d := range able {
			if d.Index == index {
				return d, nil
			}
		}
		return Info{}, fmt.Errorf("%w: number %d is not a %s; --list-devices shows what there is", audio.ErrDevice, index, what)
	}
	var matches []Info
	for _, d := range able {
		if d.Name == name {
			return d, nil
		}
		if strings.Contains(strings.ToLower(d.Name), strings.ToLower(name)) {
			matches = append(matches, d)
		}
	}
	switch len(matches) {
	case 1:
		return matches[0], nil
	case 0:
		return Info{}, fmt.Errorf("%w: no %s is called %q; --list-devices shows what there is", audio.ErrDevice, what, name)
	}
	return Info{}, fmt.Errorf("%w: %q fits %d devices (%s, %s …); name one in full or by its number", audio.ErrDevice, name, len(matches), matches[0].Name, matches[1].Name)
}
