package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// whole is a whole number as a flag, from least to most: 1000000, 1_000_000, 1e6 or 1M.
// With zeros before it, it is still decimal.
type whole[T int | int64] struct {
	value       *T
	least, most T
}

func wholeVar[T int | int64](value *T, least, most T) *whole[T] { return &whole[T]{value, least, most} }

func (w *whole[T]) Type() string   { return "int" }
func (w *whole[T]) String() string { return fmt.Sprint(*w.value) }

func (w *whole[T]) Set(text string) error {
	n, err := parseWhole(text)
	if err != nil {
		return err
	}
	if n < int64(w.least) || n > int64(w.most) {
		return fmt.Errorf("it must be between %d and %d", w.least, w.most)
	}
	*w.value = T(n)
	return nil
}

var wholeNumber = regexp.MustCompile(`^([+-]?[0-9]+(?:_[0-9]+)*(?:\.[0-9]+)?)([eE][+]?[0-9]+|[kKMG])?$`)

// parseWhole reads a whole number as people write it.
func parseWhole(text string) (int64, error) {
	parts := wholeNumber.FindStringSubmatch(strings.TrimSpace(text))
	if parts == nil {
		return 0, fmt.Errorf("it is not a whole number, such as 100000, 100_000, 1e5 or 100k")
	}
	digits, power := strings.ReplaceAll(parts[1], "_", ""), parts[2]
	if power == "" && !strings.Contains(digits, ".") {
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("it is too large")
		}
		return n, nil
	}
	switch power {
	case "k", "K":
		power = "e3"
	case "M":
		power = "e6"
	case "G":
		power = "e9"
	}
	const exact = 1 << 53
	x, err := strconv.ParseFloat(digits+power, 64)
	if err != nil || x > exact || x < -exact {
		return 0, fmt.Errorf("it is too large")
	}
	if x != float64(int64(x)) {
		return 0, fmt.Errorf("it is not a whole number")
	}
	return int64(x), nil
}

// seed is that of something random as a flag: any number of 64 bits, decimal or 0x….
type seed struct{ value *uint64 }

func (s seed) Type() string   { return "uint" }
func (s seed) String() string { return fmt.Sprint(*s.value) }

func (s seed) Set(text string) error {
	base, digits := 10, strings.ReplaceAll(text, "_", "")
	if hex, ok := strings.CutPrefix(digits, "0x"); ok {
		base, digits = 16, hex
	}
	n, err := strconv.ParseUint(digits, base, 64)
	if err != nil {
		return fmt.Errorf("it is no whole number from 0 to 2⁶⁴ − 1")
	}
	*s.value = n
	return nil
}
