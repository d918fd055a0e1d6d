package main

func (s *score) page(hours float64) string { return "" }
