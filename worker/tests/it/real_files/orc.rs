//! ORC.

use super::load_all;

#[test]
fn files_of_orc_by_every_writer_load_as_they_were_meant() {
    let (loaded, refused) = load_all("orc");
    assert_eq!((loaded.len(), refused.len()), (31, 0), "{loaded:?} {refused:?}");
}
