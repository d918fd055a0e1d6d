package sip

import (
	"context"
	"time"

	"github.com/headroom-voice/headroom/media"
)

// op is what may be asked of a call's owner.
type op uint8

const (
	opRing op = iota
	opAnswer
	opReject
	opHangup
	opChange
	opReplaced // by another call
	opDecide   // about a transfer
	opProgress // of one
	opRefer
	opWho // is it
)

type command struct {
	op         op
	status     int
	retryAfter time.Duration
	change     change
	transfer   *Transfer
	reference  reference
	progress   func(int)
	reply      chan reply // takes one without waiting
}

type reply struct {
	leg    media.Leg
	target string // of opWho
	dialog Replaces
	err    error
}

// ask puts a command to the owner, or returns because the owner has ended.
func (c *Call) ask(ctx context.Context, cmd command) (reply, error) {
	cmd.reply = make(chan reply, 1)
	select {
	case c.commands <- cmd:
	case <-c.done:
		return reply{}, ErrEnded
	case <-ctx.Done():
		return reply{}, context.Cause(ctx)
	}
	select {
	case r := <-cmd.reply:
		return r, r.err
	case <-ctx.Done():
		return reply{}, context.Cause(ctx)
	}
}

// command does what is asked of the established call.
func (c *Call) command(cmd command) string {
	switch cmd.op {
	case opHangup:
		cmd.reply <- reply{}
		return CauseLocal
	case opChange:
		c.change(cmd.change, cmd.reply)
	case opReplaced:
		cmd.reply <- reply{}
		return CauseReplaced
	case opDecide, opProgress:
		c.afterwards(cmd)
	case opRefer:
		c.refer(cmd)
	case opWho:
		cmd.reply <- c.who()
	default:
		cmd.reply <- reply{err: errState}
	}
	return ""
}
