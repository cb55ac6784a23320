package column

import (
	"regexp"
	"strings"
)

// unitInTitle is a unit at the end of a title: “pT of the muon [GeV]”, but not the leaf list “x[3]/F” or
// the shape “jet_pt[nJet]”.
var unitInTitle = regexp.MustCompile(`\s\[([^\[\]]{1,16})\]\s*$`)

// Unit returns the unit that the title of a branch gives in square brackets, "" if it gives none.
func Unit(title string) string {
	m := unitInTitle.FindStringSubmatch(title)
	if m == nil || strings.Trim(m[1], "0123456789., :") == "" { // a range or an index
		return ""
	}
	return m[1]
}
