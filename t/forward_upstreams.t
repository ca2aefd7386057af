# What the application's location can do with a forward: TLS, FastCGI, uwsgi,
# SCGI, bodies in files, large bodies.

use strict;
use warnings;

use lib 't/lib';
use CodatTest;
use IO::Socket::INET ();
use JSON::PP ();
use POSIX ();
use Test::More;


my $nginx = CodatTest::Nginx->new(conf => {}, level => 'info');
my $dir = $nginx->prefix;


# Answers one request on one connection; records what came, as "vars" and
# "body" in files named by kind and the end of the URI.  Large bodies are not
# put through JSON, which takes long in pure Perl.

sub gateway {
    my ($dir, $kind) = @_;

    my %read = (http => \&read_http, scgi => \&read_scgi,
                uwsgi => \&read_uwsgi);

    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 16)
        or die "listen: $@\n";

    my $pid = fork() // die "fork: $!\n";
    return ($listen->sockport, $pid) if $pid;

    while (my $socket = $listen->accept) {
        my ($vars, $body) = $read{$kind}->($socket);
        my ($name) = $vars->{DOCUMENT_URI} =~ m{([^/]+)$};

        spew("$dir/$kind-$name.body", $body);
        spew("$dir/$kind-$name.vars", JSON::PP->new->encode($vars));

        my $status = $name eq 'refuse' ? '403 No' : '200 OK';
        print $socket $kind eq 'scgi' ? "Status: $status\r\n"
                                      : "HTTP/1.1 $status\r\n",
            "Content-Type: text/plain\r\nX-App: leak\r\n\r\nleak";
        close($socket);
    }

    POSIX::_exit(0);
}


sub spew {
    my ($path, $text) = @_;

    open(my $fh, '>:raw', $path) or die "$path: $!\n";
    print $fh $text;
    close($fh);
}


sub slurp {
    my $path = shift;

    open(my $fh, '<:raw', $path) or return '';
    local $/;
    return scalar(<$fh>) // '';
}


# what the gateway got, once

sub recorded {
    my $name = shift;

    my ($vars, $body) = map { slurp("$dir/$name.$_") } qw(vars body);
    unlink("$dir/$name.vars", "$dir/$name.body");

    return (JSON::PP->new->decode($vars || '{}'), $body);
}


sub read_http {
    my $socket = shift;

    my $head = '';
    $head .= read_exactly($socket, 1) // '' while $head !~ /\r\n\r\n/;

    my ($method, $uri) = split(' ', $head);
    my ($length) = $head =~ /^Content-Length: (\d+)\r$/mi;

    return ({ REQUEST_METHOD => $method, DOCUMENT_URI => $uri,
              CONTENT_LENGTH => $length }, read_exactly($socket, $length));
}


sub read_exactly {
    my ($socket, $n) = @_;

    my $bytes = '';
    while (length $bytes < $n) {
        sysread($socket, $bytes, $n - length $bytes, length $bytes) or last;
    }

    return $bytes;
}


sub read_scgi {
    my $socket = shift;

    my $size = '';
    while (1) {
        my $c = read_exactly($socket, 1);
        last if $c eq ':' || $c eq '';
        $size .= $c;
    }

    my %vars = split(/\0/, read_exactly($socket, $size) =~ s/\0\z//r, -1);
    read_exactly($socket, 1);

    return (\%vars, read_exactly($socket, $vars{CONTENT_LENGTH}));
}


sub read_uwsgi {
    my $socket = shift;

    my (undef, $size) = unpack('CvC', read_exactly($socket, 4));
    my %vars = unpack('(v/a)*', read_exactly($socket, $size));

    return (\%vars, read_exactly($socket, $vars{CONTENT_LENGTH}));
}


my $app = CodatTest::Upstream->new(answer => { status => 200 });
my $tls = CodatTest::Upstream->new(tls => 1, handler => sub {
    return { status => 200, headers => [['X-App', 'leak']], body => 'leak' };
});
my $fastcgi = CodatTest::Upstream->new(fastcgi => 1, handler => sub {
    return { status => $_[0]{params}{DOCUMENT_URI} =~ /refuse/ ? 403 : 200,
             headers => [['X-App', 'leak']], body => 'leak' x 50_000 };
});

my $params = join("\n", map { my $kind = $_; map {
    "        ${kind}_param $_;" }
    'REQUEST_METHOD POST', 'CONTENT_TYPE $content_type',
    'CONTENT_LENGTH $content_length', 'DOCUMENT_URI $document_uri',
    'QUERY_STRING $query_string', 'EVENT_TYPE $codat_event_type',
    'SERVER_PROTOCOL $server_protocol' } qw(fastcgi uwsgi scgi));

my %port;
my @children;

for my $kind (qw(http scgi uwsgi)) {
    ($port{$kind}, my $pid) = gateway($dir, $kind);
    push @children, $pid;
}

END {
    local $?;
    if ($nginx && $$ == $nginx->{owner}) {
        kill('KILL', @children);
        waitpid($_, 0) for @children;
    }
}

$nginx->{conf} = {
    http => <<"EOC",
        codat_zone       zone=codat:1m;
        codat_credential bearer sesame;
        client_max_body_size 8m;
        codat_forward_timeout 60s;
        keepalive_requests 10000;
$params
EOC
    server => <<"EOC",
        location = /tls {
            codat_webhook zone=codat;
            codat_forward * /app-tls/x;
        }
        location = /tls-untrusted {
            codat_webhook zone=codat;
            codat_forward * /app-untrusted/x;
        }
        location = /tls-plain {
            codat_webhook zone=codat;
            codat_forward * /app-plain/x;
        }
        location = /many {
            codat_webhook zone=codat;
            codat_forward * /app-tls/y;
            codat_forward * /app-fastcgi/y;
            codat_forward * /app-scgi/y;
            codat_forward * /app-uwsgi/y;
            codat_forward * /app/y;
            codat_forward * /app/raw format=raw;
        }
        location = /large {
            codat_webhook zone=codat;
            codat_forward * /app-scgi/y;
            codat_forward * /app-uwsgi/y;
            codat_forward * /app/y;
            codat_forward * /app/raw format=raw;
        }
        location = /buffers {
            codat_webhook zone=codat;
            client_body_buffer_size 4k;
            codat_forward * /app/z;
            codat_forward * /app/raw format=raw;
        }
        location = /file {
            codat_webhook zone=codat;
            client_body_in_file_only clean;
            codat_forward * /app/z;
            codat_forward * /app/raw format=raw;
            codat_forward * /unbuffered/raw-2 format=raw;
        }
        location ~ ^/(fastcgi|scgi|uwsgi)\$ {
            codat_webhook zone=codat;
            codat_forward * /app-\$1/event?to=\$codat_company_id;
        }
        location ~ ^/refuse-(fastcgi|scgi|uwsgi)\$ {
            codat_webhook zone=codat;
            codat_forward * /app-\$1/refuse;
        }

        location /app/ { internal; proxy_pass http://127.0.0.1:$port{http}/; }
        location /unbuffered/ {
            internal;
            proxy_http_version 1.1;
            proxy_buffering off;
            proxy_request_buffering off;
            proxy_pass http://127.0.0.1:$port{http}/;
        }
        location /app-tls/ {
            internal;
            proxy_ssl_verify on;
            proxy_ssl_trusted_certificate @{[$tls->cert]};
            proxy_ssl_name localhost;
            proxy_ssl_server_name on;
            proxy_pass https://@{[$tls->address]}/;
        }
        location /app-untrusted/ {
            internal;
            proxy_ssl_verify on;
            proxy_ssl_trusted_certificate @{[$tls->cert]};
            proxy_ssl_name elsewhere.example;
            proxy_pass https://@{[$tls->address]}/;
        }
        location /app-plain/ {
            internal;
            proxy_connect_timeout 500ms;
            proxy_pass https://@{[$app->address]}/;
        }
        location /app-fastcgi/ { internal; fastcgi_pass @{[$fastcgi->address]}; }
        location /app-scgi/ { internal; scgi_pass 127.0.0.1:$port{scgi}; }
        location /app-uwsgi/ { internal; uwsgi_pass 127.0.0.1:$port{uwsgi}; }
EOC
};
$nginx->start;

my $client = $nginx->client;


sub deliver {
    my ($path, $body, %opt) = @_;

    return $client->request('POST', $path,
        { Authorization => 'Bearer sesame',
          'Content-Type' => 'application/json' }, $body, timeout => 60, %opt);
}


sub is_accepted {
    my ($response, $name) = @_;

    is($response->status, 200, "$name: status");
    is($response->json->{result}, 'accepted', "$name: accepted");
    is($response->header('x-app'), undef, "$name: nothing leaks");
    unlike($response->body, qr/leak/, "$name: no body leaks");
}


sub is_refused {
    my ($response, $status, $name) = @_;

    is($response->status, 502, "$name: status");
    is($response->json->{code}, 'forward_failed', "$name: code");
    like($response->json->{detail}, qr/status $status$/, "$name: why");
    is($response->header('x-app'), undef, "$name: nothing leaks");
}


subtest 'https' => sub {
    is_accepted(deliver('/tls', body('company.created', event_id => 'tls')),
                'verified');

    my ($request) = $tls->requests;
    is($request->{uri}, '/x', 'URI');
    is($request->header('content-type'), 'application/cloudevents+json',
       'type');
    is($request->header('content-length'), length $request->{body}, 'length');
    is($request->json->{id}, 'tls', 'the event');
    is($request->header('authorization'), undef, 'no credential');

    $tls->reset;
    is_refused(deliver('/tls-untrusted', body('company.created')), 502,
               'another name in the certificate');
    is(scalar $tls->requests, 0, 'which sees nothing of the event');
    is_refused(deliver('/tls-plain', body('company.created')), 504,
               'no TLS there');
};


for my $kind (qw(fastcgi scgi uwsgi)) {
    subtest $kind => sub {
        my $body = body('bills.write.successful', event_id => $kind,
                        company => 'c&o', company_name => "S\xc3\xb6hne");

        is_accepted(deliver("/$kind", $body), 'sent');

        my ($vars, $got);
        if ($kind eq 'fastcgi') {
            my ($request) = $fastcgi->requests;
            ($vars, $got) = ($request->{params}, $request->{body});

        } else {
            ($vars, $got) = recorded("$kind-event");
        }

        is($vars->{REQUEST_METHOD}, 'POST', 'method');
        is($vars->{CONTENT_TYPE}, 'application/cloudevents+json', 'type');
        is($vars->{CONTENT_LENGTH}, length $got, 'length');
        is($vars->{DOCUMENT_URI}, "/app-$kind/event", 'URI');
        is($vars->{QUERY_STRING}, 'to=c%26o', 'arguments');
        is($vars->{EVENT_TYPE}, 'bills.write.successful', 'variables');
        is($vars->{HTTP_WEBHOOK_ID}, $kind, 'webhook-id');
        is($vars->{HTTP_AUTHORIZATION}, undef, 'no credential');
        ok(index($got, qq("payload":$body}})) > 0, 'payload as sent');
        is(JSON::PP->new->utf8->decode($got)->{id}, $kind, 'the event');

        is_refused(deliver("/refuse-$kind", body('company.created')), 403,
                   'refused');
    };
}


# the length of the name, which the event has twice

for my $size (300_000, 600_000) {
    subtest "all at once, with $size bytes twice" => sub {
        $_->reset for $tls, $fastcgi;

        my $name = substr('abcdefghijklmnopqrstuvwxyz' x ($size / 26 + 1), 0,
                          $size);
        my $body = body('company.created', company_name => $name);

        is_accepted(deliver($size > 500_000 ? '/large' : '/many', $body),
                    'sent');

        my %got = map { $_ => (recorded("$_-y"))[1] } qw(http scgi uwsgi);
        if ($size < 500_000) {
            $got{https} = ($tls->requests)[0]{body};
            $got{fastcgi} = ($fastcgi->requests)[0]{body};
        }

        for my $kind (sort keys %got) {
            cmp_ok(length $got{$kind}, '>', 2 * $size, "$kind: length");
            ok($got{$kind} =~ /"companyName":"$name",/, "$kind: the name");
            ok($got{$kind} =~ /"payload":\Q$body\E\}\}\z/,
               "$kind: the payload");
        }

        ok((recorded('http-raw'))[1] eq $body, 'raw');
    };
}


# not all of a body fits into nginx's buffers: it goes to a file

for my $case (['/buffers', 'a body larger than the buffer'],
              ['/file', 'a body in a file']) {
    my ($path, $title) = @$case;

    for my $size (100, 5_000, 300_000, 2_000_000) {
        subtest "$title, $size" => sub {
            my $name = join(' ', 1 .. $size / 6);
            my $body = body('company.created', company_name => $name) . "\n ";

            is_accepted(deliver($path, $body, $size == 5_000
                                ? (chunked => 1000) : ()), 'sent');

            for my $uri (qw(z raw), $path eq '/file' ? 'raw-2' : ()) {
                my ($vars, $got) = recorded("http-$uri");
                is($vars->{REQUEST_METHOD}, 'POST', "$uri: method");
                is($vars->{CONTENT_LENGTH}, length $got, "$uri: length");
                ok($uri =~ /raw/ ? $got eq $body
                   : $got =~ /"payload":\Q$body\E\}\}\z/, "$uri: the body");
            }
        };
    }
}


is(scalar(grep { -f } glob("$dir/temp/client_body/*")), 0,
   'no temporary file is left');

$client->close;
ok($nginx->wait_idle(10), 'no connection is left');
ok($nginx->stop, 'nginx ends in time');
no_bad_log($nginx);
is_deeply([grep { /\[warn\]/ } split(/\n/, $nginx->error_log)], [],
          'no warning of a buffered body or answer');

done_testing();
