package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/headroom-voice/headroom/agentclient"
	"github.com/headroom-voice/headroom/agentclient/audio"
	"github.com/headroom-voice/headroom/agentclient/audio/device"
	"github.com/headroom-voice/headroom/agentclient/protocol"
)

// Exit codes.
const (
	exitFailed = 1
	exitUsage  = 2
)

const none = "none" // in place of a device

// maxPassword bounds the password file, bytes.
const maxPassword = 4096

type flags struct {
	Server        string           `help:"Address of the service, e.g. https://headroom.example." placeholder:"URL"`
	User          string           `help:"Name to sign in with." placeholder:"NAME"`
	PasswordFile  string           `help:"File whose first line is the password; - reads standard input." placeholder:"FILE"`
	Headless      bool             `help:"Run without a window."`
	AutoAnswer    bool             `help:"Be ready after signing in and accept every call at once."`
	Commands      bool             `help:"Take commands from standard input, one a line (help lists them), and say on standard output what happens."`
	Mic           string           `help:"Microphone: a WAV file (looped), a device's name or number, or none. Left out: the system's default." default:"default" placeholder:"FILE.wav|DEVICE"`
	Ear           string           `help:"Earphone: a WAV file to record to, a device's name or number, or none. Left out: the system's default." default:"default" placeholder:"FILE.wav|DEVICE"`
	ListDevices   bool             `help:"Show the audio devices and exit."`
	HeadsetModel  string           `help:"The headset's model; the microphone's name if not given." placeholder:"MODEL"`
	HeadsetSerial string           `help:"The headset's serial number; this computer's name if the model is not given either." placeholder:"SERIAL"`
	Verbose       bool             `help:"Log more, and show what the audio system says." short:"v"`
	Version       kong.VersionFlag `help:"Show the version and exit."`
}

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	var f flags
	exit := -1
	parser, err := kong.New(&f, kong.Name("headroom-agent"), kong.Writers(stdout, stderr),
		kong.Description("The agent's desk: takes calls through a headset and measures its microphone."),
		kong.Vars{"version": version()}, kong.Exit(func(code int) { exit = code }))
	if err != nil {
		fmt.Fprintln(stderr, "headroom-agent:", err)
		return exitFailed
	}
	_, err = parser.Parse(args)
	switch {
	case exit >= 0: // help or version was shown
		return exit
	case err != nil:
		fmt.Fprintln(stderr, "headroom-agent:", err)
		return exitUsage
	}
	if file, ok := stderr.(*os.File); ok && !f.Verbose {
		stderr = withoutChatter(file)
	}
	if f.ListDevices {
		return listDevices(stdout, stderr)
	}
	if text := f.usage(); text != "" {
		fmt.Fprintln(stderr, "headroom-agent:", text)
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := f.work(ctx, stdin, stdout, stderr); err != nil {
		fmt.Fprintln(stderr, "headroom-agent:", err)
		return exitFailed
	}
	return 0
}

// usage says what is wrong with the flags, or nothing.
func (f *flags) usage() string {
	switch {
	case !f.Headless:
		return "this build has no window; the window comes with the desktop build. Give --headless to run without one."
	case f.Server == "":
		return "--server is needed: the address of the service"
	case !strings.HasPrefix(f.Server, "http://") && !strings.HasPrefix(f.Server, "https://"):
		return fmt.Sprintf("--server: %q is no address of a service; write it like https://headroom.example or http://192.0.2.10:8080", f.Server)
	case f.User == "":
		return "--user is needed: the name to sign in with"
	case f.PasswordFile == "":
		return "--password-file is needed: a file whose first line is the password, or - for standard input"
	case f.PasswordFile == "-" && f.Commands:
		return "--password-file: standard input is for the commands; give a file"
	}
	return ""
}

func (f *flags) work(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer) error {
	password, err := readPassword(f.PasswordFile, stdin)
	if err != nil {
		return err
	}
	mic, micName, err := openMic(f.Mic)
	if err != nil {
		return err
	}
	ear, err := openEar(f.Ear, mic.Rate())
	if err != nil {
		return err
	}
	level := slog.LevelInfo
	if f.Verbose {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level})).With("agent", f.User)
	var onEvent func(agentclient.Event)
	commands := &console{out: stdout}
	if f.Commands {
		onEvent = commands.take
	}
	client, err := agentclient.New(agentclient.Config{
		OnEvent: onEvent, Server: f.Server, User: f.User, Password: password, Program: "headroom-agent " + version(),
		Headset: f.headset(micName), Mic: mic, Ear: ear,
		Ready: f.AutoAnswer, AutoAnswer: f.AutoAnswer, Log: log,
	})
	if err != nil {
		return err
	}
	switch {
	case f.Commands:
		commands.desk = client
		ctx, stop := context.WithCancel(ctx) // the commands end with the work
		defer stop()
		go commands.run(ctx, stdin)
	case !f.AutoAnswer:
		log.Warn("without --auto-answer nobody can take a call here: staying on break")
	}
	return client.Run(ctx)
}

// headset is the device's identity. A file is no device: without --headset-model it has none.
func (f *flags) headset(micName string) protocol.Headset {
	h := protocol.Headset{Model: f.HeadsetModel, Serial: f.HeadsetSerial}
	if h.Model == "" && micName != "" {
		h.Model = micName
		if h.Serial == "" {
			// Two units of one model at two desks must not be taken for one.
			h.Serial, _ = os.Hostname()
		}
	}
	return h
}

func isWAV(name string) bool { return strings.HasSuffix(strings.ToLower(name), ".wav") }

// openMic gives the source and, for a device, its name.
func openMic(name string) (audio.Source, string, error) {
	switch {
	case name == none:
		return audio.NewSilence(16000).Source(), "", nil
	case isWAV(name):
		source, err := audio.OpenWAV(name)
		return source, "", err
	}
	mic, err := device.OpenMic(name)
	if err != nil {
		return nil, "", err
	}
	return mic, mic.Name(), nil
}

// openEar records a file at the microphone's rate, so that both can be compared.
func openEar(name string, micRate int) (audio.Sink, error) {
	switch {
	case name == none:
		return audio.NewSilence(16000).Sink(), nil
	case isWAV(name):
		return audio.NewWAVSink(name, micRate)
	}
	return device.OpenEar(name)
}

func readPassword(path string, stdin io.Reader) (string, error) {
	in := stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return "", fmt.Errorf("password file: %w", err)
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxPassword+1))
	if err != nil {
		return "", fmt.Errorf("password file: %w", err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	line = strings.TrimSuffix(line, "\r")
	switch {
	case len(text) > maxPassword:
		return "", fmt.Errorf("password file: more than %d bytes", maxPassword)
	case line == "":
		return "", errors.New("password file: the first line is empty")
	}
	return line, nil
}

func listDevices(stdout, stderr io.Writer) int {
	list, err := device.List()
	if err == nil {
		err = device.Print(stdout, list)
	}
	if err != nil {
		fmt.Fprintln(stderr, "headroom-agent:", err)
		return exitFailed
	}
	return 0
}

// version is the module's, or the commit's.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "unknown"
	}
	return info.Main.Version
}
