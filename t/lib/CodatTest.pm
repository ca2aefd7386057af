package CodatTest;

# Helpers for t/*.t.
#
# The exported functions sign and build webhooks.  They can be called from
# plain Perl tests and from "eval" sections of Test::Nginx blocks, which run
# in the package Test::Base::Filter: both get them.  A .t begins with
#
#     use lib 't/lib';
#     use Test::Nginx::Socket 'no_plan';
#     use CodatTest;
#
# The classes CodatTest::Nginx, ::Client and ::Upstream are for what blocks
# can't say; they come with this module.

use strict;
use warnings;

use Cwd qw(abs_path);
use Digest::SHA qw(hmac_sha256);
use File::Basename qw(dirname);
use File::Temp ();
use MIME::Base64 qw(encode_base64 decode_base64);
use Test::Builder ();

use CodatTest::Cover ();
use CodatTest::Client ();
use CodatTest::Nginx ();
use CodatTest::Slow;
use CodatTest::Upstream ();

our @EXPORT = qw(sign signed_headers new_secret keypair basic uuid body
    catalogue no_bad_log make_cert slow);

my $top = abs_path(dirname(__FILE__) . '/../..');


sub import {
    my $class = shift;
    my $caller = caller;

    no strict 'refs';

    for my $package ($caller, 'Test::Base::Filter') {
        *{"${package}::$_"} = \&{"CodatTest::$_"} for @EXPORT;
    }

    slow_blocks() if slow(1) > 1 && $INC{'Test/Nginx/Socket.pm'};
}


# the client of a block has more time, unless it leaves on purpose

sub slow_blocks {
    Test::Nginx::Util::add_block_preprocessor(sub {
        my $block = shift;

        return if !defined $block->timeout || defined $block->abort;

        my ($n, $unit) = $block->timeout =~ /^([\d.]+)(\w*)/ or return;
        $block->set_value(timeout => slow($n) . $unit);
    });
}


sub top {
    return $top;
}


# sign($secret, $id, $timestamp, $body): one signature, "v1,..." for a secret
# "whsec_..." or bare base64, "v1a,..." for a private key "whsk_..."

sub sign {
    my ($secret, $id, $timestamp, $body) = @_;

    my $text = "$id.$timestamp.$body";

    if ($secret =~ s/^whsk_//) {
        return 'v1a,' . encode_base64(_ed25519(decode_base64($secret), $text),
                                      '');
    }

    $secret =~ s/^v1,//;
    $secret =~ s/^whsec_//;

    return 'v1,' . encode_base64(hmac_sha256($text, decode_base64($secret)),
                                 '');
}


# signed_headers($secret, $body, %opt): the three header lines, each with a
# line feed.  $secret can be an array: several signatures in one header.
#   id => 'msg_...'      ts => absolute seconds     offset => relative to now
#   svix => 1 (svix-* names)                        signature => 'as is'

sub signed_headers {
    my ($secret, $body, %opt) = @_;

    my $prefix = $opt{svix} ? 'svix' : 'webhook';
    my $id = $opt{id} // 'msg_' . (uuid() =~ s/-//gr);
    my $timestamp = $opt{ts} // time() + ($opt{offset} // 0);
    my @secrets = ref $secret ? @$secret : $secret;

    my $signature = $opt{signature}
        // CORE::join(' ', map { sign($_, $id, $timestamp, $body) } @secrets);

    return "$prefix-id: $id\n"
        . "$prefix-timestamp: $timestamp\n"
        . "$prefix-signature: $signature\n";
}


# a fresh "whsec_..." of 24 to 64 bytes

sub new_secret {
    return 'whsec_' . encode_base64(_random(shift // 32), '');
}


# (private "whsk_...", public "whpk_..."): Ed25519

sub keypair {
    my $dir = File::Temp->newdir;

    _openssl('genpkey', '-algorithm', 'ed25519', '-outform', 'DER',
             '-out', "$dir/key");
    _openssl('pkey', '-inform', 'DER', '-in', "$dir/key", '-pubout',
             '-outform', 'DER', '-out', "$dir/pub");

    my $seed = substr(_slurp("$dir/key"), -32);
    my $public = substr(_slurp("$dir/pub"), -32);

    return ('whsk_' . encode_base64($seed . $public, ''),
            'whpk_' . encode_base64($public, ''));
}


# the value of an Authorization header

sub basic {
    my ($user, $password) = @_;

    return 'Basic ' . encode_base64("$user:$password", '');
}


sub uuid {
    my @b = unpack('C16', _random(16));

    $b[6] = $b[6] & 0x0f | 0x40;
    $b[8] = $b[8] & 0x3f | 0x80;

    return sprintf('%02x' x 4 . '-%02x%02x' x 4 . '%02x' x 4, @b);
}


# body($event, %opt): of a sample webhook, in bytes, from tools/codat-send;
# generation => 'legacy', company, connection, push_key, status, tags => {...},
# and the other names that CodatSend::body documents

sub body {
    my ($event, %opt) = @_;

    _load_sender();

    return CodatSend::body(event => $event, %opt);
}


# every event that tools/codat-send knows: { event, generation, description }

sub catalogue {
    _load_sender();

    return CodatSend::catalogue();
}


# One test: the log of a CodatTest::Nginx (since its last mark), or a text,
# shows no sign of trouble.  except => qr// for lines that are meant to come.

my $trouble = qr/
    ^\S+\ \S+\ \[ (?: alert | crit | emerg ) \]
    | open\ socket \s | count\ is\ zero
    | (?:Address|Leak|Undefined\w*)Sanitizer | runtime\ error:
/x;

sub no_bad_log {
    my ($log, %opt) = @_;

    my $text = ref $log ? $log->error_log . $log->stderr : $log;
    my @bad = grep { /$trouble/ } CORE::split(/\n/, $text);
    @bad = grep { !/$opt{except}/ } @bad if $opt{except};

    my $test = Test::Builder->new;
    my $ok = $test->ok(!@bad, $opt{name} // 'nothing bad in the error log');
    $test->diag("  $_") for @bad > 10 ? (@bad[0 .. 9], '...') : @bad;

    return $ok;
}


# make_cert($dir, $name): writes $dir/$name.{crt,key}, self-signed, for
# "localhost" and 127.0.0.1; returns both paths

sub make_cert {
    my ($dir, $name) = @_;

    $name //= 'localhost';
    my ($crt, $key) = ("$dir/$name.crt", "$dir/$name.key");

    _openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt',
             'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
             '-subj', '/CN=localhost', '-addext',
             'subjectAltName=DNS:localhost,IP:127.0.0.1',
             '-out', $crt, '-keyout', $key);

    return ($crt, $key);
}


sub _load_sender {
    my $script = "$top/tools/codat-send";

    return if defined &CodatSend::body;

    die "$script is missing\n" unless -f $script;
    do $script;
    die $@ if $@;
    die "$script: no CodatSend::body\n" unless defined &CodatSend::body;
}


sub _random {
    my $n = shift;

    open(my $fh, '<:raw', '/dev/urandom') or die "/dev/urandom: $!\n";
    read($fh, my $bytes, $n) == $n or die "/dev/urandom: short read\n";

    return $bytes;
}


sub _ed25519 {
    my ($private, $text) = @_;

    # PKCS #8 is a fixed head before the 32 bytes
    my $head = pack('H*', '302e020100300506032b657004220420');

    my $dir = File::Temp->newdir;
    _spew("$dir/key", $head . substr($private, 0, 32));
    _spew("$dir/text", $text);
    _openssl('pkeyutl', '-sign', '-rawin', '-keyform', 'DER',
             '-inkey', "$dir/key", '-in', "$dir/text", '-out', "$dir/sig");

    return _slurp("$dir/sig");
}


sub _openssl {
    my @args = @_;

    open(my $out, '-|', 'sh', '-c', 'exec openssl "$@" 2>&1', 'sh', @args)
        or die "openssl: $!\n";
    my $said = CORE::join('', <$out>);
    close($out) or die "openssl @args: $said\n";
}


sub _slurp {
    my $path = shift;

    open(my $fh, '<:raw', $path) or die "$path: $!\n";
    local $/;

    return scalar <$fh>;
}


sub _spew {
    my ($path, $data) = @_;

    open(my $fh, '>:raw', $path) or die "$path: $!\n";
    print $fh $data;
    close($fh) or die "$path: $!\n";
}


1;
