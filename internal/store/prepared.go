package store

import (
	"context"
	"database/sql"
)

// maxPrepared bounds the statements that are kept; there are far fewer in the package.
const maxPrepared = 128

// prepared are the writer's statements as SQLite has parsed them, which is dearer than running
// most of them. PostgreSQL's driver keeps its own. It is the writer goroutine's alone: one is
// made between two transactions, for while one runs it has the only connection.
type prepared struct {
	db     *sql.DB
	ready  map[string]*sql.Stmt
	wanted []string
}

// find gives a statement to run, or nil where it has to be run as text.
func (p *prepared) find(statement string) *sql.Stmt {
	if p == nil {
		return nil
	}
	s := p.ready[statement]
	if s == nil && len(p.ready)+len(p.wanted) < maxPrepared {
		p.wanted = append(p.wanted, statement)
	}
	return s
}

// prepare makes what was asked for. One that cannot be made stays text, and is not asked for
// again before another is.
func (p *prepared) prepare(ctx context.Context) {
	if p == nil {
		return
	}
	for _, statement := range p.wanted {
		if p.ready[statement] != nil {
			continue
		}
		if s, err := p.db.PrepareContext(ctx, statement); err == nil { //nolint:sqlclosecheck // close does it
			p.ready[statement] = s
		}
	}
	p.wanted = p.wanted[:0]
}

// close gives the statements back.
func (p *prepared) close() {
	if p == nil {
		return
	}
	for _, s := range p.ready {
		_ = s.Close()
	}
}
