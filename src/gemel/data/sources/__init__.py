"""Where records come from: files of rows, folders of images, labelled pairs, packages."""
