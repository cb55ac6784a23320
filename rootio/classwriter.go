package rootio

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Our files describe the classes in them as ROOT 6.40 does. ROOT knows these by heart, other readers do not: without
// them JSROOT takes unsigned integers for signed ones.

// classTable is what bench/interop/classes.py prints.
//
//go:embed classes.tsv
var classTable string

// writtenClass is a class in the table.
type writtenClass struct {
	version  int
	checksum uint32
	members  [][]string // the columns of each
}

// writtenClasses returns the classes by name.
var writtenClasses = sync.OnceValue(func() map[string]*writtenClass {
	classes := make(map[string]*writtenClass)
	var last *writtenClass
	for line := range strings.Lines(classTable) {
		columns := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if columns[0] == "" {
			last.members = append(last.members, columns[1:])
			continue
		}
		last = &writtenClass{version: tableNumber(columns[1]), checksum: uint32(tableNumber(columns[2]))}
		classes[columns[0]] = last
	}
	return classes
})

// tableNumber reads a number of the table.
func tableNumber(text string) int {
	n, err := strconv.ParseInt(text, 0, 64)
	if err != nil {
		panic(fmt.Sprintf("rootio: classes.tsv: %v", err))
	}
	return int(n)
}

// putClasses writes the layouts of the classes in the file, and of those that they are made of: each once.
func (f *newFile) putClasses() (key, error) {
	all := writtenClasses()
	wanted := make(map[string]bool)
	var add func(class string)
	add = func(class string) {
		if wanted[class] || all[class] == nil { // a class without a layout, such as TString
			return
		}
		wanted[class] = true
		for _, m := range all[class].members {
			name, typ := m[1], m[8]
			if typ == "BASE" {
				typ = name
			}
			add(strings.TrimRight(typ, "*"))
		}
	}
	for class := range f.classes {
		add(class)
	}
	k := key{class: "TList", name: "StreamerInfo", title: "Doubly linked list"}
	w := newObjectWriter(int(k.length()))
	names := slices.Sorted(maps.Keys(wanted))
	w.list(len(names), func(i int) {
		w.pointer("TStreamerInfo", nil, func() { w.class(names[i], all[names[i]]) })
	})
	return f.putObject(nil, k, w.b)
}

// class writes the TStreamerInfo of a class.
func (w *objectWriter) class(name string, c *writtenClass) {
	w.object(9, func() {
		w.named(name, "")
		w.i32(int(c.checksum))
		w.i32(c.version)
		w.pointer("TObjArray", nil, func() {
			w.array(len(c.members), func(i int) { w.member(c.members[i]) })
		})
	})
}

// member writes a member of a class from the columns of the table.
func (w *objectWriter) member(columns []string) {
	class, name, title := columns[0], columns[1], columns[2]
	version := 2
	if class == "TStreamerBase" || class == "TStreamerSTL" {
		version = 3
	}
	w.pointer(class, nil, func() {
		w.object(version, func() {
			w.object(4, func() {
				w.named(name, title)
				for _, n := range columns[3:7] { // type, size, length, dimensions
					w.i32(tableNumber(n))
				}
				for _, n := range strings.Fields(columns[7]) {
					w.i32(tableNumber(n))
				}
				w.str(columns[8])
			})
			switch more := columns[9:]; class {
			case "TStreamerBase", "TStreamerSTL":
				for _, n := range more {
					w.i32(tableNumber(n))
				}
			case "TStreamerBasicPointer", "TStreamerLoop":
				w.i32(tableNumber(more[0]))
				w.str(more[1])
				w.str(more[2])
			}
		})
	})
}
