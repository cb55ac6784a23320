package main

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go-hep.org/x/hep/fmom"
	"gonum.org/v1/gonum/stat"

	"github.com/eidolon-hep/eidolon/analysis/classify"
	"github.com/eidolon-hep/eidolon/analysis/features"
	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	"github.com/eidolon-hep/eidolon/bench/internal/heldout"
	"github.com/eidolon-hep/eidolon/rootio"
)

// sampleFile is a file to learn from.
type sampleFile struct {
	name      string
	file      string
	columns   []string // nil: all but those left out
	without   []string
	condition []string
	features  features.Options
	bar       float64 // the largest allowed AUC of boosted trees; 0: none
	physics   func(real, generated *rootio.Table)
}

// sampleFiles are the files that have names. Other files of a folder are measured
// with all of their scalar branches.
var sampleFiles = []sampleFile{
	{name: "alice_electrons", file: "alice_electrons.root", bar: 0.53},
	{name: "nuwro, floats and Mode", file: "nuwro.root", columns: []string{"Enu_true", "Q2", "ELep", "CosLep", "Mode"}, bar: 0.55},
	{name: "nuwro, all", file: "nuwro.root"},
	{name: "zmumu_2011a", file: "zmumu_2011a.root", without: []string{"Run", "Event"}, bar: 0.55, physics: dimuon},
	{
		name: "zmumu_2011a, system", file: "zmumu_2011a.root", without: []string{"Run", "Event"}, bar: 0.55, physics: dimuon,
		features: features.Options{
			Vectors: []string{"mu1=pt1,eta1,phi1,0.1056584", "mu2=pt2,eta2,phi2,0.1056584"},
			Systems: []string{"mumu=mu1+mu2"},
		},
	},
	{
		name: "pingu, reco given true", file: "pingu_gen_reco.root", without: []string{"weighted_aeff"}, bar: 0.52,
		condition: []string{"pdg", "cc", "true_energy", "true_coszen"}, physics: response,
	},
}

// measureFiles measures on the files of a folder.
func measureFiles(folder, only string, o surrogate.Options) error {
	found, err := filepath.Glob(filepath.Join(folder, "*.root"))
	if err != nil {
		return err
	}
	todo := slices.Clone(sampleFiles)
	for _, f := range found {
		base := filepath.Base(f)
		if !slices.ContainsFunc(sampleFiles, func(s sampleFile) bool { return s.file == base }) {
			todo = append(todo, sampleFile{name: strings.TrimSuffix(base, ".root"), file: base})
		}
	}
	for _, s := range todo {
		if !strings.Contains(s.name, only) {
			continue
		}
		if _, err := os.Stat(filepath.Join(folder, s.file)); err != nil {
			continue
		}
		if err := s.measure(folder, o); err != nil {
			fmt.Printf("%s: %v\n", s.name, err)
		}
	}
	return nil
}

func (s sampleFile) measure(folder string, o surrogate.Options) error {
	all, err := heldout.Read(filepath.Join(folder, s.file), "", s.columns, s.without)
	if err != nil {
		return err
	}
	train, test := heldout.Split(all)
	noFormulas := o.Features.NoFormulas
	o.Condition, o.Features = s.condition, s.features
	o.Features.NoFormulas = noFormulas
	if o.Uses("max_time") != nil {
		o.Train.MaxTime = 0
	}
	begin := time.Now()
	training, err := surrogate.New(context.Background(), train, nil, o)
	if err != nil {
		return err
	}
	m, err := training.Run(context.Background())
	if err != nil {
		return err
	}
	seconds := time.Since(begin).Seconds()

	const enough = 10_000 // of which a denoiser takes its time for the log-density
	scored := heldout.Thin(test, enough)
	logDensity := make([]float64, scored.Len())
	if err := m.LogDensity(context.Background(), logDensity, scored, 0); err != nil {
		return err
	}
	possible := slices.DeleteFunc(slices.Clone(logDensity), func(l float64) bool { return math.IsInf(l, 0) })
	mean, std := stat.MeanStdDev(possible, nil)

	generated, tails, err := heldout.Draw(m, test, o.Seed+1, 1)
	if err != nil {
		return err
	}
	result, err := heldout.Judge(test, generated, false)
	if err != nil {
		return err
	}
	trees, err := heldout.Judge(test, generated, true)
	if err != nil {
		return err
	}
	fmt.Printf("\n%s: %d events of %d columns, %s, %.0f s of training\n", s.name, train.Len(), len(train.Columns), m.Card.Plan.Model, seconds)
	fmt.Printf("  AUC of boosted trees %.4f ± %.4f", trees.AUC, trees.AUCError)
	if s.bar > 0 {
		fmt.Printf(" (bar %.2f)", s.bar)
	}
	fmt.Printf(", of eidolon compare %.4f ± %.4f", result.AUC, result.AUCError)
	if teacher, ok := m.Teacher(); ok {
		events, _, err := heldout.Draw(teacher, test, o.Seed+1, 1)
		if err != nil {
			return err
		}
		taught, err := heldout.Judge(test, events, true)
		if err != nil {
			return err
		}
		fmt.Printf(" (of trees, its teacher %.4f)", taught.AUC)
	}
	slices.SortStableFunc(result.Columns, func(a, b classify.Column) int { return cmp.Compare(b.Importance, a.Importance) })
	fmt.Print("; given away by")
	for _, c := range result.Columns[:min(4, len(result.Columns))] {
		fmt.Printf(" %s %.3f", c.Name, c.Importance)
	}
	fmt.Printf("\n  mean log-density %.4f ± %.4f of held-out events in the columns' units, %d of %d impossible\n",
		mean, std/math.Sqrt(float64(len(possible))), len(logDensity)-len(possible), len(logDensity))
	fmt.Printf("  drawn again %d, clipped %d of %d; ", tails.Redrawn, tails.Clipped, test.Len())
	for _, remark := range m.Remarks() {
		fmt.Printf("%s; ", remark)
	}
	many, _, err := heldout.Draw(m, test, o.Seed+2, 10)
	if err != nil {
		return err
	}
	fmt.Println(spreads(train, many))
	if s.physics != nil {
		s.physics(test, many)
	}
	return nil
}

// values returns a column as float64.
func values(t *rootio.Table, name string) []float64 {
	c, _ := t.Column(name)
	x := c.Float64s()
	return x
}

// spreads says which column's standard deviation differs most, relative to that of
// the real events. It leaves out columns of which a few events make the standard
// deviation, so that it is not known to 2 %, and names them.
func spreads(real, generated *rootio.Table) string {
	worst, name, uncertain := 0.0, "", ""
	for _, f := range real.Fields() {
		if _, ok := generated.Column(f.Name); !ok || !f.Kind.IsFloat() {
			continue
		}
		x := values(real, f.Name)
		std := stat.StdDev(x, nil)
		if std == 0 {
			continue
		}
		m4 := stat.Moment(4, x, nil)
		if math.Sqrt((m4/math.Pow(std, 4)-1)/(4*float64(len(x)))) > 0.02 {
			uncertain += " " + f.Name
			continue
		}
		if d := math.Abs(stat.StdDev(values(generated, f.Name), nil)/std - 1); d > worst {
			worst, name = d, f.Name
		}
	}
	text := fmt.Sprintf("standard deviations within %.1f %% (%s)", 100*worst, name)
	if uncertain != "" {
		text += "; those of a few events:" + uncertain
	}
	return text
}

// dimuon prints how the mass of two muons comes out.
func dimuon(real, generated *rootio.Table) {
	mass := func(t *rootio.Table) []float64 {
		var v [6][]float64
		for i, name := range []string{"pt1", "eta1", "phi1", "pt2", "eta2", "phi2"} {
			v[i] = values(t, name)
		}
		m := make([]float64, t.Len())
		for i := range m {
			const muon = 0.1056584
			a := fmom.NewPtEtaPhiM(v[0][i], v[1][i], v[2][i], muon)
			b := fmom.NewPtEtaPhiM(v[3][i], v[4][i], v[5][i], muon)
			m[i] = fmom.InvMass(&a, &b)
		}
		slices.Sort(m)
		return m
	}
	a, b := mass(real), mass(generated)
	onPeak := func(m []float64) float64 {
		lo, _ := slices.BinarySearch(m, 86)
		hi, _ := slices.BinarySearch(m, 96)
		return float64(hi-lo) / float64(len(m))
	}
	p, q := onPeak(a), onPeak(b)
	fmt.Printf("  dimuon mass: KS %.4f; in 86–96 GeV %.4f ± %.4f real, %.4f generated\n",
		stat.KolmogorovSmirnov(a, nil, b, nil), p, math.Sqrt(p*(1-p)/float64(len(a))), q)
	same := func(t *rootio.Table) float64 {
		n := 0.0
		q2 := values(t, "Q2")
		for i, q1 := range values(t, "Q1") {
			if q1 == q2[i] {
				n++
			}
		}
		return n / float64(t.Len())
	}
	fmt.Printf("  equal charges: %.4f real, %.4f generated\n", same(real), same(generated))
}

// response prints median and width of reco/true in bins of energy and flavour.
func response(real, generated *rootio.Table) {
	pdg, energy := values(real, "pdg"), values(real, "true_energy")
	a, b := values(real, "reco_energy"), values(generated, "reco_energy")
	times := len(b) / len(a)
	fmt.Printf("  %-10s %12s %7s %24s %24s\n", "flavour", "true E [GeV]", "events", "median of reco/true", "width (16–84 %)/2")
	edges := []float64{1, 3, 6, 12, 25, 80}
	for _, flavour := range []struct {
		name string
		code float64
	}{{"electron", 12}, {"muon", 14}, {"tau", 16}} {
		for k := range len(edges) - 1 {
			var x, y []float64
			for i, e := range energy {
				if math.Abs(pdg[i]) == flavour.code && e >= edges[k] && e < edges[k+1] {
					x = append(x, a[i]/e)
					for k := range times {
						y = append(y, b[i+k*len(a)]/e)
					}
				}
			}
			if len(x) < 100 {
				continue
			}
			slices.Sort(x)
			slices.Sort(y)
			width := func(v []float64) float64 { return (quantile(0.84, v) - quantile(0.16, v)) / 2 }
			fmt.Printf("  %-10s %5.0f –%4.0f  %7d %11.3f → %6.3f %15.3f → %6.3f\n", flavour.name, edges[k], edges[k+1], len(x),
				quantile(0.5, x), quantile(0.5, y), width(x), width(y))
		}
	}
}

func quantile(p float64, sorted []float64) float64 {
	return stat.Quantile(p, stat.LinInterp, sorted, nil)
}
