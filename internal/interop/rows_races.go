package main

import (
	"context"
	"errors"
	"strings"
)

// crossings are the flows of RFC 5407 that concern one of two ends, by its sections. What a
// peer can make happen by itself it does by sending the next message without waiting; where we
// have to be the one who hangs up, we are made to by an answer that fits nothing.
func crossings() []row {
	const area = "races of RFC 5407"
	play := func(name string, try func(w *wire) error) row {
		return row{area: area, name: name, peer: "a plain socket", try: func(ctx context.Context, s *system, _ string) error {
			w, err := newWire(ctx, s)
			if err != nil {
				return err
			}
			defer w.conn.Close()
			return try(w)
		}}
	}
	return append([]row{
		play("3.1.1: the INVITE comes again after our 200: it is not a second call", func(w *wire) error {
			first := w.text("INVITE", offerG711)
			if err := w.write(first); err != nil {
				return err
			}
			got, err := w.expect("200 INVITE")
			if err != nil {
				return err
			}
			_, w.toTag, _ = strings.Cut(field(got[0], "To"), "tag=")
			w.target = strings.Trim(field(got[0], "Contact"), "<>")
			return errors.Join(w.write(first), w.send("ACK", ""), w.quiet(), w.hangUp())
		}),
		play("3.1.2: CANCEL crosses our 200: it is too late, and the call is hung up", func(w *wire) error {
			if err := w.send("INVITE", offerG711); err != nil {
				return err
			}
			cancel := w.text("CANCEL", "")
			got, err := w.expect("200 INVITE")
			if err != nil {
				return err
			}
			if err := w.write(cancel); err != nil {
				return err
			}
			if _, err := w.expect("200 CANCEL|481 CANCEL"); err != nil {
				return err
			}
			_, w.toTag, _ = strings.Cut(field(got[0], "To"), "tag=")
			w.target = strings.Trim(field(got[0], "Contact"), "<>")
			return errors.Join(w.send("ACK", ""), w.hangUp())
		}),
		play("3.1.3: the caller hangs up an early dialog, and our 200 crosses it", func(w *wire) error {
			if err := w.send("INVITE", offerG711); err != nil {
				return err
			}
			tag, err := w.early()
			if err != nil {
				return err
			}
			w.toTag = tag
			invite := w.cseq
			if err := w.send("BYE", ""); err != nil {
				return err
			}
			got, err := w.expect("200 BYE", "487 INVITE|200 INVITE")
			if err != nil {
				return err
			}
			w.cseq = invite
			_ = got
			return w.send("ACK", "")
		}),
		play("3.1.4: the ACK is lost, and a re-INVITE comes (our 200 had the answer): 200", func(w *wire) error {
			if err := w.up(offerG711); err != nil {
				return err
			}
			if err := w.send("INVITE", offerG711); err != nil {
				return err
			}
			if _, err := w.expect("200 INVITE|491 INVITE"); err != nil {
				return err
			}
			return errors.Join(w.send("ACK", ""), w.hangUp())
		}),
		play("3.1.5: the ACK is lost, and a re-INVITE comes (our 200 had the offer): 491", func(w *wire) error {
			if err := w.up(""); err != nil {
				return err
			}
			first := w.cseq
			if err := w.send("INVITE", offerG711); err != nil {
				return err
			}
			if _, err := w.expect("491 INVITE"); err != nil {
				return err
			}
			second := w.cseq
			w.branch-- // within the refused transaction
			err := w.send("ACK", "")
			w.cseq = first
			err = errors.Join(err, w.send("ACK", offerG711))
			w.cseq = second
			return errors.Join(err, w.hangUp())
		}),
		play("3.1.6: the ACK is lost, and BYE comes: 200, and our 200 is repeated no more", func(w *wire) error {
			return errors.Join(w.up(offerG711), w.hangUp(), w.quiet())
		}),
	}, mortal(play)...)
}

// mortal are those where a message meets our BYE.
func mortal(play func(string, func(*wire) error) row) []row {
	// byed opens a call and has us hang up; our BYE is not answered yet.
	byed := func(w *wire) (bye string, err error) {
		if err := w.up(""); err != nil {
			return "", err
		}
		if err := w.send("ACK", offerNothing); err != nil {
			return "", err
		}
		got, err := w.expect("BYE")
		return got[0], err
	}
	meets := func(name, method, body, want string, headers ...string) row {
		return play(name, func(w *wire) error {
			bye, err := byed(w)
			if err != nil {
				return err
			}
			if err := w.send(method, body, headers...); err != nil {
				return err
			}
			if _, err := w.expect(want); err != nil {
				return err
			}
			if method == "INVITE" {
				w.branch-- // within the refused transaction
				if err := w.send("ACK", ""); err != nil {
					return err
				}
			}
			return errors.Join(w.accept(bye), w.quiet())
		})
	}
	return []row{
		meets("3.2.1: BYE crosses our BYE: both get 200", "BYE", "", "200 BYE"),
		meets("3.2.2: a re-INVITE crosses our BYE: 481", "INVITE", offerG711, "481 INVITE"),
		play("3.2.3: a 200 to a request of ours comes after we have hung up, twice: nothing more", func(w *wire) error {
			bye, err := byed(w)
			if err != nil {
				return err
			}
			return errors.Join(w.accept(bye), w.accept(bye), w.quiet())
		}),
		play("3.2.4: an ACK comes again after we have hung up: nothing more", func(w *wire) error {
			bye, err := byed(w)
			if err != nil {
				return err
			}
			return errors.Join(w.send("ACK", offerNothing), w.accept(bye), w.quiet())
		}),
		play("3.3.1: two re-INVITEs of one side at once: the second gets 491 or 500, or both go well", func(w *wire) error {
			if err := errors.Join(w.up(offerG711), w.send("ACK", "")); err != nil {
				return err
			}
			if err := errors.Join(w.send("INVITE", offerG711), w.send("INVITE", offerG711)); err != nil {
				return err
			}
			if _, err := w.expect("200 INVITE", "491 INVITE|500 INVITE|200 INVITE"); err != nil {
				return err
			}
			return errors.Join(w.send("ACK", ""), w.hangUp())
		}),
		play("3.3.2: a re-INVITE crosses our UPDATE, which refreshes the session (45 s)", func(w *wire) error {
			if err := w.up(offerG711, "Supported: timer", "Session-Expires: 90;refresher=uas", "Min-SE: 90", "Allow: INVITE, ACK, BYE, CANCEL, UPDATE"); err != nil {
				return err
			}
			if err := w.send("ACK", ""); err != nil {
				return err
			}
			update, err := w.next(3 * patience)
			if err != nil || what(update) != "UPDATE" {
				return errors.Join(err, errors.New("no UPDATE came"))
			}
			if err := w.send("INVITE", offerG711, "Supported: timer"); err != nil {
				return err
			}
			if _, err := w.expect("200 INVITE|491 INVITE"); err != nil {
				return err
			}
			return errors.Join(w.send("ACK", ""), w.accept(update), w.hangUp())
		}),
		meets("3.3.3: REFER crosses our BYE: 481", "REFER", "", "481 REFER", "Refer-To: <sip:1@127.0.0.1>"),
	}
}

// early waits for the To tag of a provisional response.
func (w *wire) early() (tag string, err error) {
	buf := make([]byte, 65536)
	for {
		n, err := w.conn.Read(buf)
		if err != nil {
			return "", err
		}
		m := string(buf[:n])
		if _, tag, ok := strings.Cut(field(m, "To"), "tag="); ok {
			w.seen[firstLine(m)+field(m, "CSeq")+field(m, "Via")] = !strings.HasPrefix(m, "SIP/2.0 200")
			return tag, nil
		}
	}
}

// hangUp sends BYE; the 200 to it comes.
func (w *wire) hangUp() error {
	if err := w.send("BYE", ""); err != nil {
		return err
	}
	_, err := w.expect("200 BYE")
	return err
}
