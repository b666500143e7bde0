// The real shared objects of Debian 12, one row each. They are copied to a RAM file system and loaded from there.

export interface Row {
  /** File name below /usr/lib/x86_64-linux-gnu. */
  file: string;
  /** Debian package that holds it. */
  package: string;
  /** An exported symbol that must be found; default: any. */
  symbol?: string;
  /** It has a TLS segment, which makes it worth loading. */
  tls?: true;
  /** The code of the LoadError that it is refused with. */
  refused?: 'ERR_TLS';
}

type Options = Omit<Row, 'file' | 'package'>;

const row = (packageName: string, file: string, symbol?: string, options: Options = {}): Row => ({
  package: packageName,
  file,
  ...(symbol === undefined ? {} : { symbol }),
  ...options,
});

const tls: Options = { tls: true };
const refused: Options = { refused: 'ERR_TLS' };

export const table: Row[] = [
  row('zlib1g', 'libz.so.1', 'inflate'),
  row('libsqlite3-0', 'libsqlite3.so.0', 'sqlite3_exec'),
  row('libssl3', 'libcrypto.so.3', 'EVP_DigestUpdate'),
  row('libssl3', 'libssl.so.3', 'SSL_CTX_new'),
  row('libxml2', 'libxml2.so.2', 'xmlReadMemory'),
  row('libxslt1.1', 'libxslt.so.1', 'xsltApplyStylesheet'),
  row('libpng16-16', 'libpng16.so.16', 'png_create_read_struct'),
  row('libicu72', 'libicuuc.so.72', 'u_strToUpper_72'),
  row('libicu72', 'libicui18n.so.72', 'ucol_open_72'),
  row('libicu72', 'libicuio.so.72', 'u_fopen_72'),
  row('libicu72', 'libicudata.so.72', 'icudt72_dat'),
  row('libgmp10', 'libgmp.so.10', '__gmpz_mul'),
  row('libmpfr6', 'libmpfr.so.6', 'mpfr_const_pi', tls),
  row('libmpc3', 'libmpc.so.3', 'mpc_mul'),
  row('libzstd1', 'libzstd.so.1', 'ZSTD_compress'),
  row('liblzma5', 'liblzma.so.5', 'lzma_code'),
  row('libbz2-1.0', 'libbz2.so.1.0', 'BZ2_bzCompress'),
  row('liblz4-1', 'liblz4.so.1', 'LZ4_compress_default'),
  row('libsnappy1v5', 'libsnappy.so.1', 'snappy_compress'),
  row('libexpat1', 'libexpat.so.1', 'XML_Parse'),
  row('libcurl4', 'libcurl.so.4', 'curl_easy_init'),
  row('libffi8', 'libffi.so.8', 'ffi_call'),
  row('libpcre2-8-0', 'libpcre2-8.so.0', 'pcre2_match_8'),
  row('libonig5', 'libonig.so.5', 'onig_search'),
  row('libjpeg62-turbo', 'libjpeg.so.62', 'jpeg_read_header', tls),
  row('libtiff6', 'libtiff.so.6', 'TIFFOpen'),
  row('libwebp7', 'libwebp.so.7', 'WebPDecodeRGBA'),
  row('libfreetype6', 'libfreetype.so.6', 'FT_Init_FreeType'),
  row('libharfbuzz0b', 'libharfbuzz.so.0', 'hb_shape'),
  row('libfontconfig1', 'libfontconfig.so.1', 'FcInit'),
  row('libpixman-1-0', 'libpixman-1.so.0', 'pixman_image_composite32', tls),
  row('libglib2.0-0', 'libglib-2.0.so.0', 'g_hash_table_new'),
  row('libglib2.0-0', 'libgobject-2.0.so.0', 'g_object_new'),
  row('libglib2.0-0', 'libgio-2.0.so.0', 'g_file_new_for_path'),
  row('libuuid1', 'libuuid.so.1', 'uuid_generate', tls),
  row('libblkid1', 'libblkid.so.1', 'blkid_new_probe', tls),
  row('libmount1', 'libmount.so.1', 'mnt_new_context', tls),
  row('libncursesw6', 'libncursesw.so.6', 'initscr'),
  row('libtinfo6', 'libtinfo.so.6', 'tigetnum'),
  row('libreadline8', 'libreadline.so.8', 'readline'),
  row('libedit2', 'libedit.so.2', 'el_init'),
  row('libgdbm6', 'libgdbm.so.6', 'gdbm_open', tls),
  row('liblmdb0', 'liblmdb.so.0', 'mdb_env_create'),
  row('libarchive13', 'libarchive.so.13', 'archive_read_new'),
  row('libnettle8', 'libnettle.so.8', 'nettle_sha256_digest'),
  row('libhogweed6', 'libhogweed.so.6', 'nettle_rsa_public_key_init'),
  row('libgnutls30', 'libgnutls.so.30', 'gnutls_init', tls),
  row('libgcrypt20', 'libgcrypt.so.20', 'gcry_md_hash_buffer'),
  row('libgpg-error0', 'libgpg-error.so.0', 'gpg_strerror'),
  row('libtasn1-6', 'libtasn1.so.6', 'asn1_array2tree'),
  row('libp11-kit0', 'libp11-kit.so.0', 'p11_kit_modules_load', tls),
  row('libsodium23', 'libsodium.so.23', 'crypto_box_easy', tls),
  row('libidn2-0', 'libidn2.so.0', 'idn2_to_ascii_8z'),
  row('libunistring2', 'libunistring.so.2', 'u8_toupper'),
  row('libbrotli1', 'libbrotlicommon.so.1', 'BrotliGetDictionary'),
  row('libbrotli1', 'libbrotlienc.so.1', 'BrotliEncoderCompress'),
  row('libbrotli1', 'libbrotlidec.so.1', 'BrotliDecoderDecompress'),
  row('libnghttp2-14', 'libnghttp2.so.14', 'nghttp2_session_client_new'),
  row('libssh2-1', 'libssh2.so.1', 'libssh2_session_init_ex'),
  row('libevent-2.1-7', 'libevent-2.1.so.7', 'event_base_new'),
  row('libuv1', 'libuv.so.1', 'uv_loop_init'),
  row('libc-ares2', 'libcares.so.2', 'ares_init'),
  row('libyaml-0-2', 'libyaml-0.so.2', 'yaml_parser_parse'),
  row('libjansson4', 'libjansson.so.4', 'json_loads'),
  row('libjson-c5', 'libjson-c.so.5', 'json_tokener_parse', tls),
  row('libprotobuf32', 'libprotobuf.so.32', '_ZN6google8protobuf14DescriptorPool14generated_poolEv', tls),
  row('libre2-9', 'libre2.so.9', '_ZNK3re23RE211ProgramSizeEv', tls),
  row('libabsl20220623', 'libabsl_base.so.20220623', undefined, tls),
  row('libabsl20220623', 'libabsl_strings.so.20220623'),
  row('libabsl20220623', 'libabsl_synchronization.so.20220623'),
  row('libabsl20220623', 'libabsl_random_internal_pool_urbg.so.20220623', undefined, tls),
  row('libabsl20220623', 'libabsl_cord.so.20220623'),
  row('libabsl20220623', 'libabsl_status.so.20220623'),
  row('libboost-filesystem1.74.0', 'libboost_filesystem.so.1.74.0'),
  row('libboost-regex1.74.0', 'libboost_regex.so.1.74.0'),
  row('libboost-program-options1.74.0', 'libboost_program_options.so.1.74.0'),
  row('libboost-iostreams1.74.0', 'libboost_iostreams.so.1.74.0'),
  row('libleveldb1d', 'libleveldb.so.1d', 'leveldb_open'),
  row('libapt-pkg6.0', 'libapt-pkg.so.6.0', undefined, tls),
  row('libstdc++6', 'libstdc++.so.6', '__cxa_throw', tls),
  row('libgcc-s1', 'libgcc_s.so.1', '_Unwind_RaiseException'),
  row('liblua5.4-0', 'liblua5.4.so.0', 'luaL_newstate'),
  row('libduktape207', 'libduktape.so.207', 'duk_create_heap'),
  row('libfftw3-double3', 'libfftw3.so.3', 'fftw_execute'),
  row('libgsl27', 'libgsl.so.27', 'gsl_sf_bessel_J0'),
  row('libxxhash0', 'libxxhash.so.0', 'XXH64'),
  row('libcap2', 'libcap.so.2', 'cap_get_proc'),
  row('libselinux1', 'libselinux.so.1', 'is_selinux_enabled', tls),
  row('libsystemd0', 'libsystemd.so.0', 'sd_bus_open', tls),
  row('libudev1', 'libudev.so.1', 'udev_new', tls),
  row('libacl1', 'libacl.so.1', 'acl_from_text'),
  row('libcapstone4', 'libcapstone.so.4', 'cs_open'),
  row('libtbb12', 'libtbb.so.12'),
  row('libpq5', 'libpq.so.5', 'PQconninfoParse'),
  row('libc6', 'libmvec.so.1'),

  row('libc6', 'libc.so.6', undefined, refused),
  row('libc6', 'libm.so.6', undefined, refused),
  row('libc6', 'libresolv.so.2', undefined, refused),
  row('libgomp1', 'libgomp.so.1', undefined, refused),
  row('libjemalloc2', 'libjemalloc.so.2', undefined, refused),
];

/** Packages beyond the libraries' own. */
export const furtherPackages = ['ncurses-base', 'gdb'];
