//! Avro.

use super::load_all;

#[test]
fn files_of_avro_by_every_writer_load_as_they_were_meant() {
    let (loaded, refused) = load_all("avro");
    assert_eq!((loaded.len(), refused.len()), (21, 2), "{loaded:?} {refused:?}");
}
