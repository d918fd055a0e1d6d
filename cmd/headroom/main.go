package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/internal/analyze"
)

// version is set at link time for releases.
var version = "dev"

type cli struct {
	Serve   serveCmd   `cmd:"" help:"Run the service."`
	Demo    demoCmd    `cmd:"" help:"Show the whole product on this machine: four headsets, two of them faulty."`
	Analyze analyzeCmd `cmd:"" help:"Measure recordings of a headset: level, noise, clipping, and what is wrong."`
	Apply   applyCmd   `cmd:"" help:"Put a site file into force; a running service takes it up within seconds."`
	Export  exportCmd  `cmd:"" help:"Print the site in force as a site file."`
	Call    struct {
		Show callShowCmd `cmd:"" help:"Tell what the record holds of one call; the service need not run."`
	} `cmd:"" help:"The record of calls."`
	Recordings struct {
		List   recordingsListCmd   `cmd:"" help:"List recordings, deleted ones too."`
		Export recordingsExportCmd `cmd:"" help:"Write a recording in the clear, as WAV or Opus in Ogg."`
		Verify recordingsVerifyCmd `cmd:"" help:"Compare every recording with what was written down of it."`
		Repair recordingsRepairCmd `cmd:"" help:"Finish recordings of a service that died, without starting it."`
		NewKey recordingsNewKeyCmd `cmd:"" help:"Print a new key, for the top of the key file."`
		Rekey  recordingsRekeyCmd  `cmd:"" help:"Seal every recording for the first key of the key file."`
	} `cmd:"" help:"Recordings of calls."`
	User struct {
		Passwd passwdCmd `cmd:"" help:"Set a user's password, read from standard input."`
	} `cmd:"" help:"People who sign in."`
	Trunk struct {
		Test trunkTestCmd `cmd:"" help:"Try a trunk from this machine, and say what is wrong with it."`
	} `cmd:"" help:"Carriers and PBXes."`
	DialRules struct {
		Test dialRulesTestCmd `cmd:"" help:"Say what the rules of dialling make of a number, without calling it."`
	} `cmd:"" help:"Who may call where."`

	Version kong.VersionFlag `help:"Print the version."`
}

// streams are the command's standard streams.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// exitStatus ends the program with a status and no further words.
type exitStatus int

func (e exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}))
}

// run carries one command line out and returns the exit status.
func run(ctx context.Context, args []string, std streams) int {
	var c cli
	parser, err := kong.New(&c,
		kong.Name("headroom"),
		kong.Description("Call-centre telephony that listens to its own headsets."),
		kong.Vars{"version": version},
		kong.Writers(std.out, std.err),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(std),
	)
	if err != nil {
		fmt.Fprintln(std.err, "headroom:", err)
		return 1
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	command, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(std.err, "headroom: %v\nrun headroom --help, or a command with --help\n", err)
		return 2
	}
	err = command.Run()
	var status exitStatus
	switch {
	case err == nil:
		return 0
	case errors.As(err, &status):
		return int(status)
	default:
		fmt.Fprintln(std.err, "headroom:", err)
		return 1
	}
}

type analyzeCmd struct {
	JSON       bool     `help:"Print JSON: one object for one file, an array for several or a folder."`
	Tap        string   `enum:"mic,wire" default:"mic" help:"Where the recording was made: mic (before any codec) or wire."`
	Codec      string   `enum:"opus,g711,g722,auto" default:"auto" help:"What carried a recording of --tap wire: opus, g711 or g722; auto takes 8 kHz for g711 and more for opus."`
	Channel    int      `default:"1" placeholder:"N" help:"Channel to measure, from 1."`
	Far        string   `placeholder:"FILE" help:"WAV file of what the other party said meanwhile, for one recording: for echo and conversation."`
	FarChannel int      `placeholder:"N" help:"Channel of the same file that holds the other party, such as 2 where agent and caller are left and right."`
	Limits     string   `placeholder:"FILE" help:"YAML file with other limits than those shipped; see docs/analyze.md."`
	Plot       string   `placeholder:"FILE" help:"Draw waveform, spectrogram, level and faults into FILE.svg or .png; for several recordings FILE-NAME.svg, or NAME.png in a folder."`
	Color      string   `enum:"auto,always,never" default:"auto" help:"Colour the report: auto (on a terminal, unless NO_COLOR is set), always or never."`
	Files      []string `arg:"" name:"file" help:"WAV files, folders of them, or - for standard input."`
}

// codecOf is the codec that the flag names.
func codecOf(flag string) headset.Codec {
	if flag == "auto" {
		return headset.CodecUnknown
	}
	return headset.Codec(flag)
}

func (a analyzeCmd) Run(ctx context.Context, std streams) error {
	code := analyze.Run(ctx, analyze.Options{
		JSON: a.JSON, Tap: headset.Tap(a.Tap), Codec: codecOf(a.Codec), Channel: a.Channel, Far: a.Far, FarChannel: a.FarChannel,
		Limits: a.Limits, Plot: a.Plot, Color: a.Color, Stdin: std.in, Files: a.Files,
	}, std.out, std.err)
	if code != 0 {
		return exitStatus(code)
	}
	return nil
}
