package rootio

import (
	"fmt"
	"strings"
)

// Files describe the classes that are in them: a TStreamerInfo for each class and
// version, with an element for each member.

// streamerElement is a member of a class.
type streamerElement struct {
	name, title string
	kind        int64  // as in TVirtualStreamerInfo
	typeName    string // in C++
	length      int64  // of a fixed array, else 0
	dims        []int
	counter     string // the member that counts the values, if it is an array of varying length
}

// streamerInfo is a class in one of its versions.
type streamerInfo struct {
	checksum uint32
	version  int64
	elements []streamerElement
}

// The kinds of members, as in TVirtualStreamerInfo.
const (
	memberBase          = 0  // a base class
	memberArray         = 20 // is added for fixed arrays,
	memberPointer       = 40 // and for counted ones
	memberObject        = 60 // and from here on it is no number
	memberOfClass       = 61 // an object
	memberOfAny         = 62 // one that does not derive from TObject
	memberInPlace       = 63 // a pointer to an object that is never nil
	memberObjectPointer = 64
	memberString        = 65 // a TString
	memberTObject       = 66
	memberAnyInPlace    = 68
	memberAnyPointer    = 69
	memberSTLPointer    = 71
	memberSTL           = 300
	memberSTLText       = 365
	memberStream        = 500 // STL, too
)

// readClasses decodes the list of classes of a file.
func readClasses(object []byte, keySize int64) (classes map[string][]streamerInfo, err error) {
	classes = make(map[string][]streamerInfo)
	err = readObject(object, keySize, func(r *objectReader) {
		r.list(func(class string) any {
			if class != "TStreamerInfo" {
				return nil // rules
			}
			var info streamerInfo
			r.object(class, func(int) {
				name, _ := r.named()
				info.checksum = r.u32()
				info.version = r.i32()
				r.pointer(func(class string) any {
					if class == "TObjArray" {
						for _, o := range r.array(r.member) {
							e, _ := o.(streamerElement)
							info.elements = append(info.elements, e)
						}
					}
					return nil
				})
				classes[name] = append(classes[name], info)
			})
			return nil
		})
	})
	return classes, err
}

// member reads a TStreamerElement of any class.
func (r *objectReader) member(class string) any {
	if !strings.HasPrefix(class, "TStreamer") {
		return nil
	}
	var e streamerElement
	decode := func(version int) {
		e.name, e.title = r.named()
		e.kind = r.i32()
		r.skip(4) // size
		e.length = r.i32()
		n := min(max(r.i32(), 0), 5)
		most := int64(5)
		if version == 1 {
			most = int64(r.count(4))
		}
		for i := range most {
			if d := r.i32(); i < n {
				e.dims = append(e.dims, int(d))
			}
		}
		e.typeName = r.label()
	}
	switch class {
	case "TStreamerSTLstring": // it derives from TStreamerSTL
		r.object(class, func(int) { r.derived("TStreamerSTL", "TStreamerElement", decode) })
	case "TStreamerBasicPointer":
		r.object(class, func(int) {
			r.object("TStreamerElement", decode)
			r.skip(4) // version of the class of the counter
			e.counter = r.label()
		})
	default:
		r.derived(class, "TStreamerElement", decode)
	}
	return e
}

// find returns the member that a branch is, if the file describes its class.
func find(classes map[string][]streamerInfo, e *elementRecord) (m streamerElement, err error) {
	info, err := findClass(classes, e)
	if err == nil && (e.id < 0 || e.id >= int64(len(info.elements))) {
		err = fmt.Errorf("its class %s has no member %d", e.class, e.id)
	}
	if err != nil {
		return m, err
	}
	return info.elements[e.id], nil
}

// findClass returns the class that a branch is of, or a member of.
func findClass(classes map[string][]streamerInfo, e *elementRecord) (info streamerInfo, err error) {
	infos := classes[e.class]
	for _, same := range []func(i streamerInfo) bool{
		func(i streamerInfo) bool { return i.version == e.version && i.checksum == e.checksum },
		func(i streamerInfo) bool { return i.checksum == e.checksum },
		func(i streamerInfo) bool { return i.version == e.version },
		func(streamerInfo) bool { return len(infos) == 1 },
	} {
		for _, i := range infos {
			if same(i) {
				return i, nil
			}
		}
	}
	return info, fmt.Errorf("the file does not describe its class %s", e.class)
}
