// Package pgtest gives tests a PostgreSQL server of their own.
package pgtest
