package store

import (
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/internal/model"
)

func phones(t *testing.T, b backend) {
	dsn, ctx := b.dsn(t), t.Context()
	s := openStore(t, dsn)
	a := model.PhoneBinding{User: "zoe", Contact: "sip:zoe@[2001:db8::1]:5060;ob", Q: 500, CallID: "1@a", CSeq: 1<<32 - 1, Transport: "TLS",
		Source: netip.MustParseAddrPort("[2001:db8::1]:40000"), UserAgent: "Jürgens 🎧 \x00 phone", Since: noon(), Expires: *after(time.Hour), Seal: "5ea1", Instance: "urn:uuid:1;1"}
	c := model.PhoneBinding{User: "zoe", Contact: "sip:zoe@192.0.2.1", Q: 1000, CallID: "2@a", CSeq: 1, Transport: "UDP",
		Source: netip.MustParseAddrPort("192.0.2.1:5060"), Since: *after(time.Second), Expires: *after(time.Minute)}
	other := c
	other.User = "anna"
	must(t, s.SavePhoneBindings(ctx, "zoe", []model.PhoneBinding{a, c}), s.SavePhoneBindings(ctx, "anna", []model.PhoneBinding{other}))
	must(t, s.SavePhoneState(ctx, model.PhoneState{User: "zoe", State: model.Break, Reason: "lunch"}))
	must(t, s.Close())
	s = openStore(t, dsn)
	a.UserAgent = "Jürgens 🎧 \uFFFD phone"
	got, err := s.PhoneBindings(ctx)
	must(t, err)
	if want := []model.PhoneBinding{other, a, c}; !reflect.DeepEqual(got, want) {
		t.Errorf("\n got  %+v\n want %+v", got, want)
	}
	must(t, s.SavePhoneBindings(ctx, "zoe", nil), s.SavePhoneState(ctx, model.PhoneState{User: "zoe", State: model.Ready}))
	if got, err = s.PhoneBindings(ctx); err != nil || !reflect.DeepEqual(got, []model.PhoneBinding{other}) {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := s.PhoneStates(ctx); err != nil || !reflect.DeepEqual(got, []model.PhoneState{{User: "zoe", State: model.Ready}}) {
		t.Errorf("%+v, %v", got, err)
	}
	if err := s.SavePhoneBindings(ctx, "zoe", []model.PhoneBinding{c, c}); err == nil {
		t.Error("the same registration is there twice")
	}
	if got, err = s.PhoneBindings(ctx); err != nil || len(got) != 1 {
		t.Errorf("half of what was refused is there: %+v, %v", got, err)
	}
}
