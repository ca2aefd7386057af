# Failing allocations of webhooks that are forwarded: what was answered 2xx
# went to every application once, and what was not goes there again.

use strict;
use warnings;

use lib 't/lib', 't/oom';
use CodatTest;
use Oom;
use Test::More;


my $oom = Oom->new(
    http => '
        limit_req_zone $server_port zone=slow:32k rate=100r/s;
        codat_format small type=application/json
            \'{"key":"$codat_push_key","message":"$codat_message"}\';
        server {
            listen 127.0.0.1:{{port1}} http2;
            location = /hook { codat_webhook zone=codat;
                               codat_forward * /app/a; }
            location /app/ { internal; proxy_pass http://app; }
        }
        server {
            listen 127.0.0.1:{{port}};
            server_name ~^(?<name>captured)$;
            location = /hook { codat_webhook zone=codat;
                               codat_forward * /app/$name;
                               codat_forward * @named; }
            location /app/ { internal; proxy_pass http://app; }
            location @named { rewrite ^ /app/also-$name break;
                              proxy_pass http://app; }
        }',
    server => '
        location = /one { codat_webhook zone=codat; codat_forward * /app/a; }
        location = /raw { codat_webhook zone=codat;
                          codat_forward * /app/a format=raw; }
        location = /format { codat_webhook zone=codat;
                             codat_forward * /app/a format=small; }
        location = /named { codat_webhook zone=codat; codat_forward * @app; }
        location @app { rewrite ^ /app/named break; proxy_pass http://app; }
        location = /arguments {
            codat_webhook zone=codat;
            codat_forward * /app/$codat_data_type?k=$codat_event_type; }
        location = /reference {
            codat_webhook zone=codat;
            codat_forward * /app/$codat_reference;
            codat_forward * /app/b if=$codat_reference; }
        location = /several {
            codat_webhook zone=codat;
            codat_forward *.write.* /app/a;
            codat_forward invoices.* /app/b format=raw;
            codat_forward * /app/c format=small if=$codat_push_key;
            codat_forward * /app/never if=$codat_tag_none;
            codat_forward connection.* /app/never;
            codat_forward * /app/d optional; }
        location = /big { codat_webhook zone=codat; codat_forward * /app/big; }
        location = /fails { codat_webhook zone=codat;
                            codat_forward * /app/a;
                            codat_forward * /app/fail; }
        location = /optional { codat_webhook zone=codat;
                               codat_forward * /app/fail optional; }
        location = /file { codat_webhook zone=codat;
                           client_body_in_file_only clean;
                           codat_forward * /app/a;
                           codat_forward * /app/b format=raw; }
        location = /nobody { codat_webhook zone=codat;
                             codat_forward * @nobody; }
        location @nobody { proxy_pass http://127.0.0.1:{{port2}}; }
        location = /delayed { codat_webhook zone=codat;
                              codat_forward * /slow/a;
                              codat_forward * /slow/b optional; }
        location /slow/ { limit_req zone=slow burst=1000;
                          rewrite ^/slow(.*) /app$1 break;
                          proxy_pass http://app; }
        location = /late { codat_webhook zone=codat;
                           codat_forward_timeout 3s;
                           codat_forward * /app/a;
                           codat_forward * /app/hang; }
        location = /app/hang { internal; proxy_pass http://app;
                               proxy_read_timeout 4s; }
        location = /static { codat_webhook zone=codat;
                             codat_forward * /nothing; }
        location = /nothing { return 204; }
    ');


$oom->webhook('cloudevents', uri => '/one', forwards => ['/app/a']);
$oom->webhook('raw', uri => '/raw', forwards => ['/app/a']);
$oom->webhook('a format', uri => '/format', forwards => ['/app/a']);
$oom->webhook('to a named location', uri => '/named',
              forwards => ['/app/named']);
$oom->webhook('a URI of variables', uri => '/arguments',
              forwards => ['/app/invoices?k=invoices.write.successful']);
# a zone that has no cell at all makes room, in the end with this row
$oom->webhook('with the reference of a registered push', uri => '/reference',
    once => 1,
    forwards => ['/app/r17', '/app/b'],
    body => sub {
        $oom->request('PUT', "/codat/pushes/$_[0]", [], '{"reference":"r17"}');
        return body('invoices.write.successful', push_key => $_[0]);
    });
$oom->webhook('several', uri => '/several',
              forwards => [map { "/app/$_" } qw(a b c)],
              optional => ['/app/d']);
$oom->webhook('a large answer', uri => '/big', forwards => ['/app/big']);
$oom->webhook('one that fails', uri => '/fails', good => 502,
              forwards => ['/app/a']);
$oom->webhook('an optional one that fails', uri => '/optional',
              optional => ['/app/fail']);
$oom->webhook('of a body in a file', uri => '/file',
              forwards => ['/app/a', '/app/b']);
$oom->webhook('to nobody', uri => '/nobody', good => 502);
$oom->webhook('to a location that answers itself', uri => '/static');
$oom->webhook('captures of server_name',
              forwards => ['/app/captured', '/app/also-captured'],
              headers => sub {
                  signed_headers($Oom::secret, $_[1], id => $_[0])
                      . "Host: captured\n";
              });
$oom->webhook('delayed by limit_req', uri => '/delayed',
              forwards => ['/app/a'], optional => ['/app/b']);

# the application never answers: the time is up 20 msec later
$oom->webhook('late', uri => '/late', good => 504, forwards => ['/app/a'],
              headers => sub {
                  signed_headers($Oom::secret, $_[1], id => $_[0])
                      . "X-Oom-Skip: 6000\n";
              });
$oom->webhook('over HTTP/2', send => \&Oom::request2, forwards => ['/app/a']);


$oom->end;
done_testing();
