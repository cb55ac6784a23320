// Command relations looks for relations between columns.
//
//	go run ./bench/relations [-samples N] [-columns C] [-seed S]
//
// makes samples of independent columns, three unless told otherwise, of many distributions and types and in random
// units, and counts the relations that are found in them: there are none.
//
//	go run ./bench/relations [-scale X] FILE…
//
// lists those found among the scalar branches of files and among the objects of their
// collections, a line each, sorted, so that two versions of the program can be compared by diff.
// With -scale the momenta, energies and masses, and all other floating-point numbers that are
// no angles, are multiplied by a number first: the same relations are there.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"maps"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"

	"github.com/eidolon-hep/eidolon/analysis/column"
	"github.com/eidolon-hep/eidolon/analysis/features"
	"github.com/eidolon-hep/eidolon/analysis/features/step"
	"github.com/eidolon-hep/eidolon/rootio"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("relations: ")
	samples := flag.Int("samples", 1000, "samples of independent columns")
	columns := flag.Int("columns", 3, "columns of a sample")
	seed := flag.Uint64("seed", 1, "their seed")
	scale := flag.Float64("scale", 1, "multiply columns of files by this")
	flag.Parse()
	if flag.NArg() == 0 {
		byChance(*samples, *columns, *seed)
		return
	}
	for _, file := range flag.Args() {
		if err := list(file, *scale); err != nil {
			log.Fatal(err)
		}
	}
}

// byChance prints how many relations are found among independent columns.
func byChance(samples, columns int, seed uint64) {
	found, of := map[string]int{}, map[string]int{}
	wrong := 0
	for i := range samples {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		table, kinds := independent(r, columns)
		spec, err := features.Fit(context.Background(), table, nil, features.Options{})
		if err != nil {
			fmt.Printf("sample %d, %s: %v\n", i, strings.Join(kinds, ", "), err)
			continue
		}
		bad := false
		for _, s := range spec.Steps {
			if !isRelation(s) {
				continue
			}
			name := step.KindOf(s)
			bad = true
			found[name]++
			of[strings.Join(kinds, ", ")]++
		}
		if bad {
			wrong++
			fmt.Printf("sample %d, %d events of %s:\n", i, table.Len(), strings.Join(kinds, ", "))
			for _, line := range relations(spec) {
				fmt.Println("\t" + line)
			}
		}
	}
	fmt.Printf("%d of %d samples of independent columns with a relation\n", wrong, samples)
	for _, name := range slices.Sorted(maps.Keys(found)) {
		fmt.Printf("%6d  %s\n", found[name], name)
	}
	for _, kinds := range slices.Sorted(maps.Keys(of)) {
		fmt.Printf("%6d  of %s\n", of[kinds], kinds)
	}
}

// isRelation reports whether a step is a relation between columns.
func isRelation(s step.Step) bool {
	read, taken, _ := s.Variables()
	return len(read)+len(taken) > 1
}

// distributions are those of independent columns, with a scale of about 1.
var distributions = []struct {
	name string
	of   func(r *rand.Rand) func() float64
}{
	{"normal", func(r *rand.Rand) func() float64 { return r.NormFloat64 }},
	{"narrow", func(r *rand.Rand) func() float64 {
		width := math.Pow(10, -7*r.Float64())
		return func() float64 { return 1 + width*r.NormFloat64() }
	}},
	{"exponential", func(r *rand.Rand) func() float64 { return r.ExpFloat64 }},
	{"uniform", func(r *rand.Rand) func() float64 { return r.Float64 }},
	{"lognormal", func(r *rand.Rand) func() float64 {
		width := 3 * r.Float64()
		return func() float64 { return math.Exp(width * r.NormFloat64()) }
	}},
	{"Cauchy", func(r *rand.Rand) func() float64 {
		return func() float64 { return math.Tan(math.Pi * (r.Float64() - 0.5)) }
	}},
	{"angle", func(r *rand.Rand) func() float64 {
		return func() float64 { return math.Pi * (2*r.Float64() - 1) }
	}},
	{"rounded", func(r *rand.Rand) func() float64 {
		unit := math.Pow10(r.IntN(4))
		return func() float64 { return math.Round(unit*r.ExpFloat64()) / unit }
	}},
	{"codes", func(r *rand.Rand) func() float64 {
		n, rare := 2+r.IntN(9), 4*r.Float64()
		return func() float64 { return math.Floor(float64(n) * math.Pow(r.Float64(), 1+rare)) }
	}},
	{"integer", func(r *rand.Rand) func() float64 {
		n := math.Pow(10, 1+5*r.Float64())
		return func() float64 { return math.Floor(n * r.ExpFloat64()) }
	}},
	{"spike", func(r *rand.Rand) func() float64 {
		part := r.Float64()
		return func() float64 {
			if r.Float64() < part {
				return -1
			}
			return r.ExpFloat64()
		}
	}},
	{"rare", func(r *rand.Rand) func() float64 { // nearly always the same
		part := math.Pow(10, -1-3*r.Float64())
		return func() float64 {
			if r.Float64() > part {
				return 0
			}
			return r.NormFloat64()
		}
	}},
}

// independent returns a sample of independent columns, and what they are.
func independent(r *rand.Rand, columns int) (*rootio.Table, []string) {
	n := int(100 * math.Pow(200, r.Float64()))
	t := &rootio.Table{}
	var kinds []string
	for j := range columns {
		d := distributions[r.IntN(len(distributions))]
		draw := d.of(r)
		x := make([]float64, n)
		for i := range x {
			x[i] = draw()
		}
		kind := rootio.Float64
		unit := 1.0
		switch isWhole := d.name == "codes" || d.name == "integer"; {
		case isWhole && r.IntN(3) > 0:
			kind = rootio.Int32
		case r.IntN(2) == 0:
			kind, unit = rootio.Float32, math.Pow(10, 64*r.Float64()-32)
		default:
			unit = math.Pow(10, 80*r.Float64()-40)
		}
		name := fmt.Sprintf("x%d", j)
		if d.name == "angle" {
			name += "_phi"
			if r.IntN(2) == 0 {
				unit = 1
			}
		}
		if kind.IsFloat() && r.IntN(4) == 0 {
			unit = 1
		}
		for i := range x {
			x[i] *= unit
		}
		c := rootio.NewColumn(rootio.Field{Name: name, Kind: kind}, n)
		c.SetFloats(0, x)
		t.Columns = append(t.Columns, c)
		kinds = append(kinds, fmt.Sprintf("%s (%v)", d.name, kind))
	}
	return t, kinds
}

// list prints the relations in a file.
func list(file string, scale float64) error {
	ctx := context.Background()
	trees, err := rootio.List(ctx, file)
	if err != nil {
		return err
	}
	for _, info := range trees {
		t, err := rootio.Open(ctx, info.Name, file)
		if err != nil {
			return err
		}
		objects := map[string]bool{"": true} // "": events
		for _, b := range t.Branches() {
			if name, _, ok := strings.Cut(b.Name, "_"); ok && b.IsJagged() {
				objects[name] = true
			}
		}
		for _, each := range slices.Sorted(maps.Keys(objects)) {
			where := filepath.Base(file) + ":" + info.Name
			if each != "" {
				where += ":" + each
			}
			lines, err := in(t, each, scale)
			if err != nil {
				lines = []string{err.Error()}
			}
			for _, line := range lines {
				fmt.Printf("%s: %s\n", where, line)
			}
		}
		if err := t.Close(); err != nil {
			return err
		}
	}
	return nil
}

// in returns the relations among the columns of a tree, or of the objects of a collection.
func in(t *rootio.Tree, each string, scale float64) ([]string, error) {
	v, err := t.View(rootio.ViewOptions{Each: each})
	if err != nil {
		return nil, err
	}
	var names []string
	for _, f := range v.Own() {
		names = append(names, f.Name)
	}
	if len(names) == 0 {
		return nil, nil
	}
	table, err := v.Read(names)
	if err != nil {
		return nil, err
	}
	if table.Len() == 0 {
		return nil, nil
	}
	table = usable(table)
	spec, err := features.Fit(context.Background(), table, nil, features.Options{})
	if err != nil {
		return nil, err
	}
	if scale != 1 {
		isAngle := map[string]bool{}
		for _, s := range spec.Steps {
			switch s := s.(type) {
			case *step.Direction:
				isAngle[s.Variable] = true
			case *step.RelativeAngle:
				isAngle[s.Variable], isAngle[s.To] = true, true
			case *step.Residual:
				if !strings.HasPrefix(s.Relation, "√") {
					isAngle[s.Of[1]] = true
				}
			}
		}
		for _, c := range spec.Columns {
			if c.As == column.Angle || c.As == column.Codes {
				isAngle[c.Name] = true
			}
		}
		x := make([]float64, table.Len())
		for _, c := range table.Columns {
			if c.Kind.IsFloat() && !isAngle[c.Name] {
				c.Floats(x, 0)
				before := slices.Clone(x)
				for k := range x {
					x[k] *= scale
				}
				if c.SetFloats(0, x); slices.ContainsFunc(asStored(c), func(v float64) bool { return math.IsInf(v, 0) }) {
					c.SetFloats(0, before)
				}
			}
		}
		if spec, err = features.Fit(context.Background(), table, nil, features.Options{}); err != nil {
			return nil, err
		}
	}
	return relations(spec), nil
}

// asStored returns the values of a column.
func asStored(c rootio.Column) []float64 {
	x := make([]float64, c.Len())
	c.Floats(x, 0)
	return x
}

// usable returns the columns that can be learnt.
func usable(t *rootio.Table) *rootio.Table {
	some := &rootio.Table{}
	for _, c := range t.Columns {
		alone := &rootio.Table{Columns: []rootio.Column{c}}
		if _, err := features.FitContext(context.Background(), alone, nil); err == nil {
			some.Columns = append(some.Columns, c)
		}
	}
	return some
}

// relations returns a line for each branch that is not learnt as it is.
func relations(spec *features.Spec) (lines []string) {
	taken := map[string]bool{}
	for _, s := range spec.Steps {
		if isRelation(s) {
			_, names, _ := s.Variables()
			for _, name := range names {
				taken[name] = true
			}
		}
	}
	for _, t := range spec.Treatments() {
		if taken[t.Name] {
			lines = append(lines, t.Name+" "+t.How)
		}
	}
	slices.Sort(lines)
	return lines
}
