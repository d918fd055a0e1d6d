package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/headroom-voice/headroom/internal/config"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/internal/password"
	"github.com/headroom-voice/headroom/internal/store"
)

// processFile is the flag that says which service's store is meant.
type processFile struct {
	Config string `type:"path" placeholder:"headroom.yaml" help:"The file that the service was started with, if any; it says where the data is."`
}

// openNew opens the store that the service of that file uses, or will use.
func (f processFile) openNew(ctx context.Context) (*store.Store, error) {
	p, err := config.Load(f.Config)
	if err != nil {
		return nil, err
	}
	if p.Database.DSN == "" {
		if err := os.MkdirAll(p.Data, 0o700); err != nil {
			return nil, fmt.Errorf("data folder: %w", err)
		}
	}
	return store.Open(ctx, p.DSN())
}

// open is openNew for commands that need what is there already: asked in the wrong folder
// or without the service's file they say so, and leave no empty store behind.
func (f processFile) open(ctx context.Context) (*store.Store, error) {
	p, err := config.Load(f.Config)
	if err != nil {
		return nil, err
	}
	if p.Database.DSN != "" {
		return store.Open(ctx, p.DSN())
	}
	if _, err := os.Stat(p.DSN()); errors.Is(err, fs.ErrNotExist) {
		where := p.DSN()
		if abs, err := filepath.Abs(where); err == nil {
			where = abs
		}
		return nil, fmt.Errorf("there is no database %s; give the service's file with --config, run this in the folder it was started in, or apply a site first", where)
	}
	return store.Open(ctx, p.DSN())
}

type applyCmd struct {
	processFile
	Site string `arg:"" type:"path" help:"The site file."`
}

func (c applyCmd) Run(ctx context.Context, std streams) error {
	site, err := config.LoadSite(c.Site)
	if err != nil {
		return err
	}
	s, err := c.openNew(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	changes, err := s.ApplySite(ctx, site)
	if err != nil {
		return err
	}
	if changes.Empty() {
		fmt.Fprintln(std.out, "nothing to change")
		return nil
	}
	for _, line := range []struct {
		word string
		list []string
	}{{"added", changes.Added}, {"changed", changes.Changed}, {"removed", changes.Removed}} {
		if len(line.list) > 0 {
			fmt.Fprintf(std.out, "%s: %s\n", line.word, strings.Join(line.list, ", "))
		}
	}
	return nil
}

type exportCmd struct {
	processFile
	Secrets bool `help:"Write the trunks' passwords too; without them the file can be read by anybody, and applied once they are filled in."`
}

func (c exportCmd) Run(ctx context.Context, std streams) error {
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	site, err := s.Site(ctx)
	if err != nil {
		return err
	}
	if !c.Secrets {
		site = config.WithoutSecrets(site)
	}
	_, err = std.out.Write(config.Marshal(site))
	return err
}

type passwdCmd struct {
	processFile
	Name string `arg:"" help:"The user's sign-in name."`
}

func (c passwdCmd) Run(ctx context.Context, std streams) error {
	secret, err := readPassword(std.in)
	if err != nil {
		return err
	}
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	if _, _, err := s.User(ctx, model.AgentID(c.Name)); errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("there is no user %q; write the user into the site file and apply it first", c.Name)
	} else if err != nil {
		return err
	}
	hash, err := password.New(1).Hash(ctx, secret)
	if err != nil {
		return err
	}
	if err := s.SetPasswordHash(ctx, model.AgentID(c.Name), hash); err != nil {
		return err
	}
	fmt.Fprintf(std.out, "password of %s set\n", c.Name)
	return nil
}

// readPassword takes the first line.
func readPassword(in io.Reader) (string, error) {
	const least, most = 8, 1024 // NIST SP 800-63B section 5.1.1.1 has the least
	line, err := bufio.NewReader(io.LimitReader(in, most+2)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the password from standard input: %w", err)
	}
	line = strings.TrimRight(line, "\r\n")
	switch {
	case line == "":
		return "", errors.New("no password on standard input; try: printf '%s\\n' 'the password' | headroom user passwd NAME")
	case utf8.RuneCountInString(line) < least:
		return "", fmt.Errorf("the password is too short; %d characters are the least", least)
	case len(line) > most:
		return "", fmt.Errorf("the password is longer than %d bytes", most)
	}
	return line, nil
}
