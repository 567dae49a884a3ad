//! JSON.

use super::load_all;

#[test]
fn files_of_json_by_every_writer_load_as_they_were_meant() {
    let (loaded, refused) = load_all("json");
    assert_eq!((loaded.len(), refused.len()), (10, 0), "{loaded:?} {refused:?}");
}
