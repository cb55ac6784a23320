package vectors

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// role is what a branch is of a momentum.
type role int

const (
	pt role = iota
	eta
	phi
	px
	py
	pz
	energy
	momentum // the magnitude, |p|
	mass
	charge
	code
	roles
)

// words are what branches call the roles, in lower case. Two words stand for two in a row.
var words = [roles][]string{
	pt:       {"pt", "p t", "et", "perp", "transversemomentum"},
	eta:      {"eta", "pseudorapidity"},
	phi:      {"phi", "azimuth"},
	px:       {"px", "p x", "truep x", "mom x", "momentum x"},
	py:       {"py", "p y", "truep y", "mom y", "momentum y"},
	pz:       {"pz", "p z", "truep z", "mom z", "momentum z"},
	energy:   {"e", "pe", "en", "ene", "energy", "truep e", "p e"},
	momentum: {"p", "mom", "momentum"},
	mass:     {"m", "mass"},
	charge:   {"q", "charge", "chg"},
	code:     {"pdg", "pdgid", "pdg id", "pdgcode", "pdg code", "id", "pid"},
}

// glued are the roles that may begin or end a word that they share with what the momentum is of, as in
// leppt, ptl1 and Ev, for branches that have no separators.
var glued = [...]struct {
	role         role
	first, after bool
}{
	{pt, true, true}, {eta, true, true}, {phi, true, true}, {px, true, true}, {py, true, true}, {pz, true, true},
	{energy, true, false}, {mass, true, false}, {charge, true, false},
}

// levels are words that may be glued before others: B_TRUEPT, K_mcPX, METphi.
var levels = [...]string{"true", "truth", "gen", "mc", "reco", "rec", "sim", "raw", "met", "mht"}

// generatedWords say that something is of the event as it was generated.
var generatedWords = []string{"true", "truth", "gen", "mc", "sim"}

// others are words of which a branch is no component of a momentum, but says something else about it.
var others = []string{
	"err", "error", "errors", "unc", "cov", "sigma", "sig", "resolution", "pull", "ratio", "frac", "fraction", "delta", "diff",
	"chi2", "bin", "bins", "cut", "weight", "sf", "rms", "bias", "residual", "significance", "sumet", "max", "min",
}

// word is a part of the name of a branch.
type word struct {
	text       string // in lower case
	first, end int    // where it is in the name
}

var (
	subscript = regexp.MustCompile(`[pP]T|[eE]T(?:$|[^A-Za-z])`)
	missing   = regexp.MustCompile(`MET|MHT`)
	member    = regexp.MustCompile(`(^|[._/])([fm])([A-Z])`) // of a C++ class: fPt, mPx
)

// split returns the words of a name: what is between separators, before a number, and before a capital letter that
// follows a small one, or comes before one.
func split(name string) []word {
	// The same bytes, so that words keep their places.
	text := missing.ReplaceAllStringFunc(name, func(s string) string { return s[:1] + strings.ToLower(s[1:]) })
	text = subscript.ReplaceAllStringFunc(text, func(s string) string { return s[:1] + "t" + s[2:] })
	text = member.ReplaceAllString(text, "${1}_${3}")
	var all []word
	begin := -1
	end := func(i int) {
		if begin >= 0 {
			all = append(all, word{strings.ToLower(text[begin:i]), begin, i})
		}
		begin = -1
	}
	letters := []rune(text)
	at := 0
	for i, c := range letters {
		isWord := unicode.IsLetter(c) || unicode.IsDigit(c)
		if !isWord {
			end(at)
		} else {
			if begin >= 0 {
				before := letters[i-1]
				camel := unicode.IsUpper(c) && (unicode.IsLower(before) || i+1 < len(letters) && unicode.IsLower(letters[i+1]) && unicode.IsUpper(before))
				if camel || unicode.IsDigit(c) && !unicode.IsDigit(before) {
					end(at)
				}
			}
			if begin < 0 {
				begin = at
			}
		}
		at += len(string(c))
	}
	end(at)
	return unglue(all)
}

// unglue separates words of levels from what follows, if that is a role.
func unglue(all []word) (split []word) {
	for _, w := range all {
		for _, level := range levels {
			rest, ok := strings.CutPrefix(w.text, level)
			isRole := ok && rest != "" && (rest == "x" || rest == "y" || slices.ContainsFunc(words[:], func(of []string) bool { return slices.Contains(of, rest) }))
			if isRole {
				split = append(split, word{level, w.first, w.first + len(level)})
				w = word{rest, w.first + len(level), w.end}
				break
			}
		}
		split = append(split, w)
	}
	return split
}

// reading is one way to read the name of a branch: as a role of what is left of it. Branches of one momentum
// have the same rest, with a mark where the role was.
type reading struct {
	branch string
	role   role
	rest   string // the words, with a mark
	name   string // what is left of the name as it is written
	exact  bool   // the role is a word of its own
}

const mark = "·"

// readings returns the ways to read the name of a branch.
func readings(branch string) (all []reading) {
	ws := split(branch)
	texts := make([]string, len(ws))
	for i, w := range ws {
		texts[i] = w.text
	}
	if slices.ContainsFunc(texts, func(t string) bool { return slices.Contains(others, t) }) {
		return nil
	}
	add := func(r role, i, n int, first, end int, around [2]string, exact bool) {
		rest := slices.Concat(texts[:i], compact(around[0]), []string{mark}, compact(around[1]), texts[i+n:])
		all = append(all, reading{branch, r, strings.Join(rest, " "), tidy(branch[:first] + branch[end:]), exact})
	}
	for n := 2; n >= 1; n-- {
		for i := range len(ws) - n + 1 {
			text := strings.Join(texts[i:i+n], " ")
			for r := range roles {
				if slices.Contains(words[r], text) {
					add(r, i, n, ws[i].first, ws[i+n-1].end, [2]string{}, true)
				}
			}
		}
	}
	for i, w := range ws {
		// METx, met_y
		if r := slices.Index([]string{"x", "y"}, w.text); r >= 0 && i > 0 && isMissing(texts[:i]) {
			add(px+role(r), i, 1, w.first, w.end, [2]string{}, true)
		}
		// The missing momentum is often called by its name alone.
		if i == len(ws)-1 && isMissing(texts[i:]) {
			add(pt, i+1, 0, w.end, w.end, [2]string{}, true)
			if i > 0 && isMissing(texts[:i]) { // MissingET.MET
				add(pt, i, 1, w.first, w.end, [2]string{}, true)
			}
		}
		for _, g := range glued {
			for _, of := range words[g.role] {
				if g.role == pt && of != "pt" && of != "et" || strings.Contains(of, " ") || len(of) >= len(w.text) {
					continue
				}
				if rest, ok := strings.CutSuffix(w.text, of); ok && g.after && rest != "d" && !slices.Contains(others, rest) {
					add(g.role, i, 1, w.end-len(of), w.end, [2]string{rest, ""}, false)
				}
				if rest, ok := strings.CutPrefix(w.text, of); ok && g.first && !slices.Contains(others, rest) {
					add(g.role, i, 1, w.first, w.first+len(of), [2]string{"", rest}, false)
				}
			}
		}
	}
	return all
}

func compact(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

// isAzimuthalDifference reports whether a branch is called the difference of the azimuths of the two objects that there are: dphi, deltaPhi12,
// DPHI_ll, but not dphi_lep_met.
func isAzimuthalDifference(branch string) bool {
	var text strings.Builder
	for _, w := range split(branch) {
		text.WriteString(w.text)
	}
	for _, start := range []string{"dphi", "deltaphi", "absdphi"} {
		if rest, ok := strings.CutPrefix(text.String(), start); ok {
			rest = strings.Trim(rest, "0123456789")
			half := len(rest) / 2
			return rest[:half] == rest[half:] // "", ll, mumu
		}
	}
	return false
}

// tidy makes a name of what is left of one without the role.
func tidy(rest string) string {
	for _, double := range [...]string{"__", "..", "_."} {
		rest = strings.ReplaceAll(rest, double, double[:1])
	}
	rest = strings.Trim(rest, "_.-/()[]{} ")
	if rest == "" || rest[0] >= '0' && rest[0] <= '9' {
		return "p" + rest
	}
	return rest
}

// isMissing reports whether words speak of a momentum of which only the transverse part is known.
func isMissing(texts []string) bool {
	for _, t := range texts {
		switch t {
		case "met", "mht", "etmiss", "ptmiss", "misset", "misspt", "missing", "miss", "missinget", "mpt", "recoil", "soft":
			return true
		}
		if strings.HasSuffix(t, "met") || strings.HasSuffix(t, "etmiss") {
			return true
		}
	}
	return false
}
