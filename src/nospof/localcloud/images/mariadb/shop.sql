CREATE DATABASE shop;
CREATE TABLE shop.orders (id VARCHAR(64) NOT NULL PRIMARY KEY, note VARCHAR(200) NOT NULL DEFAULT '') ENGINE=InnoDB;
INSERT INTO shop.orders VALUES ('first', 'there before anything else');
FLUSH PRIVILEGES;
CREATE USER shop@localhost IDENTIFIED BY 'shop';
GRANT ALL PRIVILEGES ON shop.* TO shop@localhost;
